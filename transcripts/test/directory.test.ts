import { describe, expect, it, vi } from 'vitest';
import type { CallId } from '@earshot/contracts';
import { createLog } from '@earshot/platform';
import { CallDocument } from '../src/document/call.ts';
import { CallDirectory, type DirectoryOptions } from '../src/server/directory.ts';
import { makeCall, until } from './harness.ts';

const directoryOf = (load: DirectoryOptions['load'], down = false): [CallDirectory, () => number] => {
  const log = createLog('test', 'silent');
  const errors = vi.spyOn(log, 'error');
  const now = (): number => performance.now();
  const directory = new CallDirectory({ load, down: () => down, now, lookUpLimitMs: 50, log });
  return [directory, () => errors.mock.calls.length];
};

/** A call that the log has. */
function logged(callId: CallId): CallDocument {
  const call = new CallDocument(callId);
  call.known = true;
  return call;
}
const never = <T>(): Promise<T> => new Promise<T>(() => undefined);

describe('a look-up in the call log', () => {
  it('that hangs or fails is made again, and what waits for it runs in order with what is found', async () => {
    const { callId } = makeCall();
    let asked = 0;
    const [directory] = directoryOf((callIds) => {
      asked++;
      if (asked === 1) return never();
      return asked === 2
        ? Promise.reject(new Error('query timed out'))
        : Promise.resolve(callIds.map(logged));
    });
    const seen: string[] = [];
    for (const what of ['first', 'second']) {
      directory.with(callId, (call) => seen.push(`${what} ${call.known ? 'known' : 'new'}`));
    }
    await until('both ran', () => seen.length === 2);
    expect(seen).toEqual(['first known', 'second known']);
    expect(asked).toBe(3);
  });

  it('that is never answered does not hold a call for ever: it is taken for new', async () => {
    const { callId } = makeCall();
    const [directory] = directoryOf(() => never());
    let known: boolean | null = null;
    directory.with(callId, (call) => (known = call.known));
    await until('it ran', () => known !== null);
    expect(known).toBe(false);
  });

  it('lets 10,000 words of a call wait, drops later ones with a line in the log, and never drops its frame', async () => {
    const { callId } = makeCall();
    let answer: (calls: CallDocument[]) => void = () => undefined;
    const [directory, errors] = directoryOf(() => new Promise((resolve) => (answer = resolve)));
    const taken: number[] = [];
    let dropped = 0;
    for (let n = 0; n < 10_005; n++) {
      directory.withOrDrop(
        callId,
        () => taken.push(n),
        () => dropped++,
      );
    }
    directory.with(callId, () => taken.push(-1));
    expect([dropped, errors()]).toEqual([5, 1]);
    await new Promise((resolve) => setImmediate(resolve));
    answer([logged(callId)]);
    await until('what waited ran', () => taken.length === 10_001);
    expect([taken[0], taken[9_999], taken[10_000]]).toEqual([0, 9_999, -1]);
  });
});
