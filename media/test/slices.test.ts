import dgram from 'node:dgram';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { loadNativeReader } from '../src/native/reader.ts';
import { nowUs } from '../src/worker/clock.ts';
import { type Reading, SocketReader } from '../src/worker/socket-reader.ts';
import { TurnTimer } from '../src/worker/timer.ts';
import { quietLog } from './support/null-log.ts';
import { bindHandle, send } from './support/udp-handle.ts';
import { until } from './support/until.ts';

/** A millisecond of work. */
function work(): void {
  const endMs = performance.now() + 1;
  while (performance.now() < endMs);
}

const opened: { close(): void }[] = [];
const kept = <T extends { close(): void }>(what: T): T => {
  opened.push(what);
  return what;
};
afterEach(() => {
  for (const each of opened.splice(0)) each.close();
});

describe('turn', () => {
  const timers: TurnTimer[] = [];
  afterEach(() => {
    for (const timer of timers.splice(0)) timer.stop();
  });

  it('lets other things have their turn amid its work, and the next one waits until it is done', async () => {
    const done: string[] = [];
    let turns = 0;
    timers.push(
      new TurnTimer(function* () {
        const turn = ++turns;
        for (let step = 0; step < 30; step++) {
          work();
          done.push(`turn ${turn}`);
          yield;
        }
      }),
    );
    const other = setInterval(() => done.push('other'), 1);
    await until(() => turns >= 3, 'turns');
    clearInterval(other);
    const first = done.slice(done.indexOf('turn 1'), done.lastIndexOf('turn 1'));
    expect(first).toContain('other');
    expect(done.lastIndexOf('turn 1')).toBeLessThan(done.indexOf('turn 2'));
    expect(done.filter((what) => what === 'turn 1').length).toBe(30);
  });

  it('goes on with what was read and not handed on, as of the same moment, and is told that moment', async () => {
    const readings: Reading[] = ['part', 'part', 'empty'];
    const starts: number[] = [];
    const turns: number[] = [];
    timers.push(
      new TurnTimer(
        (startUs) => [turns.push(startUs)].map(() => undefined).values(),
        (startUs, untilUs) => {
          expect(untilUs).toBeGreaterThan(startUs);
          starts.push(startUs);
          return readings[starts.length - 1] ?? 'empty';
        },
      ),
    );
    await until(() => turns.length > 1, 'turns');
    expect(starts.slice(0, 3)).toEqual([turns[0], turns[0], turns[0]]);
    expect(starts[3]).toBeGreaterThan(turns[0]!);
    expect(turns[1]).toBe(starts[3]);
  });
});

describe('turn of a worker whose log is not written yet', () => {
  it('asks again soon, and goes on as soon as that is written', async () => {
    let asked = 0;
    const askedBefore: number[] = [];
    const timer = new TurnTimer(
      () => [askedBefore.push(asked)].map(() => undefined).values(),
      () => (++asked % 3 === 0 ? 'empty' : 'later'),
    );
    await until(() => askedBefore.length >= 2, 'turns');
    timer.stop();
    expect(askedBefore[0]).toBeGreaterThan(1);
  });
});

describe.skipIf(process.platform !== 'linux')('reader in slices', () => {
  type Step = 'slice' | 'whole' | 'one' | 'replace' | 'send';
  const steps = fc.array(
    fc.constantFrom<Step>('slice', 'slice', 'slice', 'whole', 'one', 'replace', 'send'),
    {
      maxLength: 40,
    },
  );

  it('hands each datagram on once, in its socket’s order and to nobody else, whatever is done between slices', async () => {
    const native = await loadNativeReader();
    await fc.assert(
      fc.asyncProperty(steps, async (list) => {
        const reader = new SocketReader(native, quietLog, { path: '', inheritedPorts: [] });
        const peer = kept(dgram.createSocket('udp4'));
        const got: { of: number; numbers: number[] }[] = [];
        const open = (): {
          handle: ReturnType<typeof bindHandle>;
          of: number;
          sent: number;
          close(): void;
        } => {
          const handle = kept(bindHandle());
          const of = got.length;
          const numbers: number[] = [];
          got.push({ of, numbers });
          const socket = reader.add(handle.fd, handle.port, 1 << 20, (bytes) => {
            expect(bytes[0]).toBe(of);
            numbers.push(bytes[1]!);
          });
          sockets.set(of, socket);
          return { handle, of, sent: 0, close: () => reader.remove(socket) };
        };
        const sockets = new Map<number, ReturnType<SocketReader['add']>>();
        const lines = [open(), open(), open()];
        const all = [...lines];
        const sendAll = async (): Promise<void> => {
          for (const line of lines) {
            for (let n = 0; n < 15; n++) await send(peer, line.handle, Uint8Array.of(line.of, line.sent++));
          }
        };
        await sendAll();
        for (const step of list) {
          // A slice that is over at once: eight datagrams.
          if (step === 'slice') reader.read(nowUs(), 0);
          else if (step === 'whole') reader.read(nowUs());
          else if (step === 'one') reader.readOne(sockets.get(lines[1]!.of)!, nowUs());
          else if (step === 'send') await sendAll();
          else {
            // Its number is the next one's at once. What the kernel still has of it is nobody's.
            lines[0]!.close();
            lines[0] = open();
            all.push(lines[0]);
          }
        }
        // The first may end a reading of before.
        for (let n = 0; n < 2; n++) while (reader.read(nowUs()) !== 'empty');
        for (const { of, sent } of all) {
          const { numbers } = got[of]!;
          const open = lines.some((line) => line.of === of);
          expect(numbers).toEqual(Array.from({ length: open ? sent : numbers.length }, (_, n) => n & 0xff));
        }
        for (const each of opened.splice(0)) each.close();
      }),
      { numRuns: 30 },
    );
  });
});
