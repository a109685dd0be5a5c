import dgram from 'node:dgram';
import { mkdtemp, open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { COUNT, HEAD_WORDS, loadNativeReader, type NativeReader } from '../src/native/reader.ts';
import { nowUs } from '../src/worker/clock.ts';
import { SocketReader } from '../src/worker/socket-reader.ts';
import { quietLog } from './support/null-log.ts';
import { bindHandle, send, type TestHandle } from './support/udp-handle.ts';

const linux = process.platform === 'linux';

describe.skipIf(!linux)('what a killed process had read', () => {
  let native: NativeReader;
  let path: string;
  let folder: string;
  let handle: TestHandle;
  let peer: dgram.Socket;

  beforeAll(async () => {
    native = await loadNativeReader();
  });
  beforeEach(async () => {
    folder = await mkdtemp('/dev/shm/es-test-');
    path = join(folder, 'memory');
    handle = bindHandle();
    peer = dgram.createSocket('udp4');
  });
  afterEach(async () => {
    handle.close();
    peer.close();
    await rm(folder, { recursive: true });
  });

  const newReader = (): SocketReader =>
    new SocketReader(native, quietLog, { path, inheritedPorts: [handle.port] });

  /** Sends numbered packets and reads them, dying in the midst of the one given. @returns the arrivals until then */
  async function dieAt(fatal: number, count: number): Promise<number[]> {
    const arrivals: number[] = [];
    const reader = newReader();
    reader.add(handle.fd, handle.port, 1 << 20, ([n], _address, _port, arrivalUs) => {
      arrivals.push(arrivalUs);
      if (n === fatal) throw new Error('killed');
    });
    for (let n = 0; n < count; n++) await send(peer, handle, Uint8Array.of(n, 7, 7));
    expect(() => reader.read(nowUs())).toThrow('killed');
    return arrivals;
  }

  /** @returns the numbers of the packets that a replacement is given */
  function inherited(loggedUs = Infinity): number[] {
    const got: number[] = [];
    const reader = newReader();
    const onPacket = (bytes: Uint8Array, address: string, port: number): void => {
      expect([address, port]).toEqual(['127.0.0.1', peer.address().port]);
      expect([...bytes.subarray(1)]).toEqual([7, 7]);
      got.push(bytes[0]!);
    };
    reader.add(handle.fd, handle.port, 1 << 20, onPacket, (_datagram, us) => us <= loggedUs);
    return got;
  }

  const headOf = async (): Promise<Int32Array> =>
    new Int32Array((await readFile(path)).buffer.slice(0, 4 * HEAD_WORDS));

  it('is handed on by its replacement, but for what the log has already', async () => {
    const arrivals = await dieAt(5, 20);
    expect(inherited(arrivals[3])).toEqual(Array.from({ length: 16 }, (_, i) => i + 4));
    // Once.
    expect(inherited(arrivals[3])).toEqual([]);
  });

  it('is handed on as what came now, before what came later', async () => {
    await dieAt(0, 2);
    await send(peer, handle, Uint8Array.of(2));
    const reader = newReader();
    const got: [number, number][] = [];
    const beganUs = nowUs();
    reader.add(
      handle.fd,
      handle.port,
      1 << 20,
      ([n], _address, _port, us) => got.push([n!, us]),
      () => false,
    );
    reader.read(nowUs());
    expect(got.map(([n]) => n)).toEqual([0, 1, 2]);
    for (const [i, [, us]] of got.entries()) expect(us).toBeGreaterThan(i === 0 ? beganUs : got[i - 1]![1]);
  });

  it('is nothing when all was settled', async () => {
    const reader = newReader();
    let flushed = 0;
    reader.safety = { flush: () => ++flushed, isWritten: (mark) => mark <= flushed };
    reader.add(handle.fd, handle.port, 1 << 20, () => undefined);
    await send(peer, handle, Uint8Array.of(1, 7, 7));
    reader.read(nowUs());
    expect(flushed).toBe(1);
    expect(inherited()).toEqual([]);
  });

  it('is kept, and nothing is read over it, while the disk takes its time, but not for ever', async () => {
    const reader = newReader();
    const got: number[] = [];
    let written = 0;
    reader.safety = { flush: () => 1, isWritten: (mark) => mark <= written };
    reader.add(handle.fd, handle.port, 1 << 20, ([n]) => void got.push(n!));
    await send(peer, handle, Uint8Array.of(1, 7, 7));
    const startUs = nowUs();
    expect(reader.read(startUs)).toBe('empty');
    await send(peer, handle, Uint8Array.of(2, 7, 7));
    expect(reader.read(startUs + 20_000)).toBe('later');
    expect(reader.read(startUs + 199_999)).toBe('later');
    expect(got).toEqual([1]);
    expect((await headOf())[COUNT]).toBe(1);
    written = 1;
    expect(reader.read(startUs + 199_999)).toBe('empty');
    expect(got).toEqual([1, 2]);
    expect((await headOf())[COUNT]).toBe(0);

    written = 0;
    await send(peer, handle, Uint8Array.of(3, 7, 7));
    expect(reader.read(startUs + 210_000)).toBe('empty');
    await send(peer, handle, Uint8Array.of(4, 7, 7));
    expect(reader.read(startUs + 409_999)).toBe('later');
    expect(reader.read(startUs + 410_000)).toBe('empty');
    expect(got).toEqual([1, 2, 3, 4]);
  });

  it('includes what the kernel had put into memory in the call in which it died', async () => {
    await dieAt(0, 8);
    // As if it had come to three records of the eight datagrams.
    const head = await headOf();
    expect(head[COUNT]).toBe(8);
    const file = await open(path, 'r+');
    await file.write(Int32Array.of(3, handle.port, 8), 0, 12, 4 * COUNT);
    await file.close();
    expect(inherited(-Infinity)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  it('is of no use to sockets that are not inherited', async () => {
    await dieAt(0, 3);
    const got: number[] = [];
    const reader = new SocketReader(native, quietLog, { path, inheritedPorts: [handle.port + 1] });
    reader.add(
      handle.fd,
      handle.port,
      1 << 20,
      ([n]) => void got.push(n!),
      () => false,
    );
    expect(got).toEqual([]);
  });

  it('may be damaged without harm', async () => {
    await dieAt(0, 8);
    const { size } = await stat(path);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(4 * HEAD_WORDS + 400), fc.integer({ min: 0, max: 255 })), { maxLength: 12 }),
        fc.boolean(),
        async (bytes, random) => {
          const file = await open(path, 'r+');
          for (const [at, value] of bytes) await file.write(Uint8Array.of(value), 0, 1, at);
          if (random)
            await file.write(
              Uint8Array.from({ length: 4096 }, (_, i) => (i * 73 + size) & 0xff),
              0,
              4096,
              16,
            );
          await file.close();
          const reader = newReader();
          reader.add(
            handle.fd,
            handle.port,
            1 << 20,
            () => undefined,
            () => false,
          );
          reader.read(nowUs());
        },
      ),
      { numRuns: 60 },
    );
  });

  it('is kept in no file that others may read', async () => {
    await writeFile(path, '', { mode: 0o644 });
    await dieAt(0, 3);
    expect((await stat(path)).size).toBe(0);
    expect(inherited(-Infinity)).toEqual([]);
  });
});
