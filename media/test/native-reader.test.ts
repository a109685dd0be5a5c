import dgram from 'node:dgram';
import fc from 'fast-check';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  LENGTH,
  loadNativeReader,
  type NativeReader,
  partsOf,
  type ReaderHandle,
  RECORD_WORDS,
  SOCKET,
} from '../src/native/reader.ts';
import { newRtpPacket, parseRtp } from '../src/rtp/packet.ts';
import { nowUs } from '../src/worker/clock.ts';
import { ipAddress } from '../src/worker/ip-address.ts';
import { type ReadSocket, SocketReader, type SocketReaderOptions } from '../src/worker/socket-reader.ts';
import { quietLog } from './support/null-log.ts';
import { bindHandle, send, type TestHandle } from './support/udp-handle.ts';

const linux = process.platform === 'linux';

interface Got {
  readonly bytes: number[];
  readonly address: string;
  readonly port: number;
  readonly arrivalUs: number;
}

describe.skipIf(!linux)('native reader', () => {
  let native: NativeReader;
  const opened: { close(): void }[] = [];
  const kept = <T extends { close(): void }>(what: T): T => {
    opened.push(what);
    return what;
  };

  let stamping: SocketReader;

  beforeAll(async () => {
    native = await loadNativeReader();
    // The kernel begins to stamp packets some time after the first reader is there.
    stamping = newReader();
    const handle = kept(bindHandle());
    const { got } = reading(stamping, handle);
    const peer = await client();
    for (let stamped = false; !stamped;) {
      await send(peer, handle, Uint8Array.from([1]));
      await new Promise((resolve) => setTimeout(resolve, 10));
      const startUs = nowUs();
      stamping.read(startUs);
      stamped = startUs - got.at(-1)!.arrivalUs > 5000;
    }
  });
  afterEach(() => {
    for (const each of opened.splice(0)) each.close();
  });

  const newReader = (options: Partial<SocketReaderOptions> = {}): SocketReader =>
    new SocketReader(native, quietLog, { path: '', inheritedPorts: [], ...options });

  function reading(reader: SocketReader, handle: TestHandle): { socket: ReadSocket; got: Got[] } {
    const got: Got[] = [];
    const socket = reader.add(handle.fd, handle.port, 1 << 20, (bytes, address, port, arrivalUs) =>
      got.push({ bytes: [...bytes], address, port, arrivalUs }),
    );
    return { socket, got };
  }

  async function client(type: dgram.SocketType = 'udp4'): Promise<dgram.Socket> {
    const socket = kept(dgram.createSocket(type));
    await new Promise<void>((resolve) =>
      socket.bind(0, type === 'udp6' ? '::1' : '127.0.0.1', () => resolve()),
    );
    return socket;
  }

  it('hands each datagram on with its source and the time at which the kernel had it', async () => {
    const reader = newReader();
    const handles = [kept(bindHandle()), kept(bindHandle())];
    const read = handles.map((handle) => reading(reader, handle));
    const peers = [await client(), await client()];
    const sentUs: number[] = [];
    for (let n = 0; n < 6; n++) {
      sentUs.push(nowUs());
      await send(peers[n >> 2]!, handles[n % 2]!, Uint8Array.from([n, n + 1, n + 2].slice(0, (n % 3) + 1)));
      // Time passes between them; all are read at once, later.
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    const startUs = nowUs();
    expect(reader.read(startUs)).toBe('empty');
    for (const [i, { socket, got }] of read.entries()) {
      const numbers = [0, 1, 2, 3, 4, 5].filter((n) => n % 2 === i);
      expect(socket.read).toBe(3);
      expect(got.map(({ bytes }) => bytes)).toEqual(
        numbers.map((n) => [n, n + 1, n + 2].slice(0, (n % 3) + 1)),
      );
      for (const [k, { address, port, arrivalUs }] of got.entries()) {
        const n = numbers[k]!;
        expect([address, port]).toEqual(['127.0.0.1', peers[n >> 2]!.address().port]);
        expect(arrivalUs).toBeGreaterThan(sentUs[n]! - 1000);
        expect(arrivalUs).toBeLessThanOrEqual(n < 5 ? sentUs[n + 1]! : startUs);
      }
    }
  });

  it('reads more than fits into one call in several, in each socket’s order and without a loss', async () => {
    const reader = newReader();
    const handles = Array.from({ length: 7 }, () => kept(bindHandle()));
    const read = handles.map((handle) => reading(reader, handle));
    const peer = await client();
    for (let n = 0; n < 100; n++) {
      await Promise.all(handles.map((handle) => send(peer, handle, Uint8Array.from([n]))));
    }
    let calls = 1;
    while (reader.read(nowUs()) === 'more') calls++;
    expect(calls).toBe(Math.ceil(700 / 256));
    for (const { got } of read) {
      expect(got.map(({ bytes }) => bytes[0])).toEqual(Array.from({ length: 100 }, (_, n) => n));
      for (let n = 1; n < 100; n++) expect(got[n]!.arrivalUs).toBeGreaterThan(got[n - 1]!.arrivalUs);
    }
    expect(reader.read(nowUs())).toBe('empty');
    expect(read[0]!.got.length).toBe(100);
  });

  it('reads one socket ahead of the others, which keep their packets', async () => {
    const reader = newReader();
    const [one, other] = [kept(bindHandle()), kept(bindHandle())];
    const [first, second] = [reading(reader, one), reading(reader, other)];
    const peer = await client();
    for (let n = 0; n < 300; n++) await send(peer, one, Uint8Array.of(n & 0xff));
    await send(peer, other, Uint8Array.of(7));
    expect(reader.readOne(first.socket, nowUs())).toBe('more');
    expect(reader.readOne(first.socket, nowUs())).toBe('empty');
    expect(first.got.map(({ bytes }) => bytes[0])).toEqual(Array.from({ length: 300 }, (_, n) => n & 0xff));
    expect(second.got).toEqual([]);
    expect(reader.read(nowUs())).toBe('empty');
    expect([first.got.length, second.got.length]).toEqual([300, 1]);
  });

  it('leaves what comes after it is closed to the next reader, as having come when that one began', async () => {
    const handle = kept(bindHandle());
    const peer = await client();
    const first = newReader();
    const before = reading(first, handle);
    first.remove(before.socket);
    await send(peer, handle, Uint8Array.from([1]));
    await send(peer, handle, Uint8Array.from([2]));
    expect(first.read(nowUs())).toBe('empty');
    expect(before.got).toEqual([]);
    const beganUs = nowUs();
    const second = newReader();
    const { got } = reading(second, handle);
    expect(second.read(nowUs())).toBe('empty');
    expect(got.map(({ bytes }) => bytes[0])).toEqual([1, 2]);
    expect(got[0]!.arrivalUs).toBeGreaterThan(beganUs);
    expect(got[1]!.arrivalUs).toBeGreaterThan(got[0]!.arrivalUs);
  });

  it('dates no packet before the moment up to which all was read, and none after the reading began', async () => {
    const handle = kept(bindHandle());
    const peer = await client();
    const reader = newReader();
    const { got } = reading(reader, handle);
    // A wall clock that steps back by a second between two readings looks like this.
    const dryUs = nowUs() + 1e6;
    expect(reader.read(dryUs)).toBe('empty');
    await send(peer, handle, Uint8Array.from([1]));
    reader.read(dryUs + 20_000);
    expect(got[0]!.arrivalUs).toBe(dryUs);

    // One that steps forward.
    const other = kept(bindHandle());
    const fresh = newReader();
    const { got: early } = reading(fresh, other);
    const beganUs = nowUs();
    await send(peer, other, Uint8Array.from([2]));
    fresh.read(beganUs);
    expect(early[0]!.arrivalUs).toBe(beganUs);
  });

  it('does not give a socket’s packets to another that took its number', async () => {
    const reader = newReader();
    const [one, other] = [kept(bindHandle()), kept(bindHandle())];
    const peer = await client();
    const first = reading(reader, one);
    await send(peer, one, Uint8Array.from([1]));
    reader.remove(first.socket);
    const second = reading(reader, other);
    expect(second.socket.number).toBe(first.socket.number);
    await send(peer, one, Uint8Array.from([2]));
    await send(peer, other, Uint8Array.from([3]));
    reader.read(nowUs());
    expect(first.got).toEqual([]);
    expect(second.got.map(({ bytes, port }) => [bytes[0], port])).toEqual([[3, peer.address().port]]);
  });

  it('hands on no byte of datagrams that no telephone sends, only that they were too long, and the others as they are', async () => {
    const reader = newReader();
    const handle = kept(bindHandle());
    const { socket, got } = reading(reader, handle);
    const peer = await client();
    for (const length of [2304, 2305, 60_000, 0]) await send(peer, handle, new Uint8Array(length).fill(1));
    reader.read(nowUs());
    expect(got.map(({ bytes }) => bytes.length)).toEqual([2304, 4097, 4097, 0]);
    expect(got.slice(1).every(({ bytes }) => !bytes.includes(1))).toBe(true);
    expect(socket.read).toBe(4);
    // As long as that, they are refused for it.
    expect(parseRtp(Uint8Array.from(got[1]!.bytes), newRtpPacket())).toBe('size');
  });

  it('lets a port that is flooded wait for the others, and reads all of it', async () => {
    const reader = newReader();
    const [flooded, quiet] = [kept(bindHandle()), kept(bindHandle())];
    const peer = await client();
    const order: string[] = [];
    reader.add(flooded.fd, flooded.port, 1 << 20, (bytes) => order.push(`flood ${bytes[0]!}`));
    reader.add(quiet.fd, quiet.port, 1 << 20, () => order.push('quiet'));
    for (let n = 0; n < 200; n++) await send(peer, flooded, Uint8Array.from([n]));
    await send(peer, quiet, Uint8Array.from([1]));
    expect(reader.read(nowUs())).toBe('empty');
    expect(order.indexOf('quiet')).toBe(32);
    const flood = order.filter((each) => each !== 'quiet');
    expect(flood).toEqual(Array.from({ length: 200 }, (_, n) => `flood ${n}`));
    // It is told of again when more comes.
    await send(peer, flooded, Uint8Array.from([7]));
    reader.read(nowUs());
    expect(order.at(-1)).toBe('flood 7');
  });

  it('says what the kernel dropped', async () => {
    const reader = newReader();
    const handle = kept(bindHandle());
    const got: Got[] = [];
    const socket = reader.add(handle.fd, handle.port, 4096, (bytes, address, port, arrivalUs) =>
      got.push({ bytes: [...bytes], address, port, arrivalUs }),
    );
    expect(reader.drops(socket)).toBe(0);
    const peer = await client();
    for (let n = 0; n < 200; n++) await send(peer, handle, new Uint8Array(160));
    while (reader.read(nowUs()) === 'more');
    expect(reader.drops(socket)).toBe(200 - got.length);
    expect(got.length).toBeLessThan(200);
  });

  it('speaks IPv6 and answers from the same socket', async () => {
    const reader = newReader();
    const handle = kept(bindHandle('::1'));
    const { socket, got } = reading(reader, handle);
    const peer = await client('udp6');
    const answer = new Promise<[number[], number]>((resolve) =>
      peer.on('message', (bytes, from) => resolve([[...bytes], from.port])),
    );
    await send(peer, handle, Uint8Array.from([1]));
    reader.read(nowUs());
    expect(got.map(({ address, port }) => [address, port])).toEqual([['::1', peer.address().port]]);
    expect(reader.send(socket, Uint8Array.from([7, 8]), '::1', peer.address().port)).toBe(0);
    expect(await answer).toEqual([[7, 8], handle.port]);
    expect(reader.send(socket, Uint8Array.from([7]), 'not an address', 9)).not.toBe(0);
  });

  it('writes IPv6 addresses in their shortest form, as dgram does', () => {
    const groups = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff })), {
      minLength: 8,
      maxLength: 8,
    });
    fc.assert(
      fc.property(groups, (list) => {
        // ::/80 holds the IPv4-mapped addresses, see below, and the IPv4-compatible ones, which no one has.
        if (list.slice(0, 5).every((group) => group === 0)) list[0] = 1;
        const text = ipAddress(Uint8Array.from(list.flatMap((group) => [group >> 8, group & 0xff])));
        const shortest = new URL(`http://[${list.map((group) => group.toString(16)).join(':')}]/`).hostname;
        expect(`[${text}]`).toBe(shortest);
      }),
      { numRuns: 2000 },
    );
    expect(ipAddress(Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1]))).toBe(
      '::ffff:192.0.2.1',
    );
  });

  it('allocates no object for a packet: nothing but the 16 bytes in which V8 passes its arrival, a double', () => {
    // The C part allocates nothing; a stand-in for it makes the same records without a kernel.
    const memory = new ArrayBuffer(1 << 20);
    const { records, arrivals } = partsOf(memory, 256, 2304);
    const us = Float64Array.of(nowUs()) as Float64Array;
    const still: NativeReader = {
      open: () => ({}) as ReaderHandle,
      memory: () => memory,
      add: () => 0,
      remove: () => 0,
      send: () => 0,
      drops: () => 0,
      readOne: () => 0,
      read: () => {
        for (let at = 0; at < 255; at++) {
          records[at * RECORD_WORDS + SOCKET] = at % 10;
          records[at * RECORD_WORDS + LENGTH] = 172;
          us[0]! += 70;
          arrivals[at] = us[0]!;
        }
        return 255;
      },
    };
    const reader = new SocketReader(still, quietLog, { path: '', inheritedPorts: [] });
    const bytes = new Float64Array(1);
    for (let n = 0; n < 10; n++) reader.add(n + 3, n, 0, (datagram) => void (bytes[0]! += datagram.length));
    const [rounds, reads] = [75, 400];
    const perPacket: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const before = process.memoryUsage().heapUsed;
      for (let n = 0; n < reads; n++) reader.read(us[0]! + 20_000);
      perPacket.push((process.memoryUsage().heapUsed - before) / (reads * 255));
    }
    expect(bytes[0]).toBe(rounds * reads * 255 * 172);
    // The last ones, when V8 has compiled it. A collection makes a round's figure negative: the median has none.
    const median = perPacket.slice(-15).sort((one, other) => one - other)[7]!;
    expect(median).toBeGreaterThanOrEqual(0);
    expect(median).toBeLessThan(24);
  });
});
