import type { Log } from '@earshot/platform';
import {
  ADDRESS,
  COUNT,
  HANDED_ON,
  LENGTH,
  LOCAL_PORT,
  type NativeReader,
  NEW_SOURCE,
  partsOf,
  type ReaderHandle,
  type ReaderMemory,
  RECORD_WORDS,
  SOCKET,
  SOURCE,
} from '../native/reader.ts';
import { nowUs } from './clock.ts';
import { ipAddress } from './ip-address.ts';

/** One call's datagrams: 2 to 12 ms of work with all that follows, by codec and protection. */
const DATAGRAMS = 256;
/** MAX_PAYLOAD_BYTES with a header and 15 CSRCs (RFC 3550), and room for extensions; no power of two, for the cache's sake. */
const DATAGRAM_BYTES = 2304;
/** Stands for a datagram that did not fit: an RTP packet whose length is all that is looked at, longer than any stage takes. */
const OVERSIZE = new Uint8Array(4097);
OVERSIZE[0] = 2 << 6;
/** Datagrams between two looks at the clock. */
const LOOK_EVERY = 8;
/** A disk that takes longer does not hold up the calls: what was read last is then lost if the process is killed now. */
const WRITE_LIMIT_US = 200_000;
/** Arrivals of one socket rise by at least so much. */
const STEP_US = 0.01;

/** datagram is the reader's: copy what outlives the call. */
export type PacketHandler = (datagram: Uint8Array, address: string, port: number, arrivalUs: number) => void;

export type Reading = 'empty' | 'more' | 'part' | 'later';

/** A log of what is handed on, such as Wal. */
export interface Safety {
  /** @returns a mark for isWritten */
  flush(): number;
  isWritten(mark: number): boolean;
}

/** Whether a predecessor's files have a datagram that it had handed on at that moment. */
export type Taken = (datagram: Uint8Array, handedOnUs: number) => boolean;

/** A socket that is read, and where what it receives goes. */
export class ReadSocket {
  /** Datagrams read. */
  read = 0;
  address = '';
  port = 0;
  lastUs: number;
  readonly number: number;
  readonly handler: PacketHandler;

  constructor(number: number, sinceUs: number, handler: PacketHandler) {
    this.number = number;
    this.lastUs = sinceUs;
    this.handler = handler;
  }
}

/** A datagram that a killed predecessor had read, and perhaps not logged. */
interface Leftover {
  readonly bytes: Uint8Array;
  readonly address: string;
  readonly port: number;
  /** When it was handed on; null when it was not. */
  readonly handedOnUs: number | null;
}

export interface SocketReaderOptions {
  /** A file on tmpfs, the same for a worker and its replacement; '': what is read is lost with a killed process. */
  readonly path: string;
  /** Ports of the sockets that the predecessor had: what it left of others is of no use. */
  readonly inheritedPorts: readonly number[];
}

/**
 * Reads all sockets of a worker in a few calls of the native reader. Nothing is allocated for a datagram once its socket has been
 * heard from: the bytes stay where the kernel put them, and each place keeps its view while lengths stay the same.
 *
 * Arrival is the kernel's time. It is kept between the last reading that found the sockets empty, up to which the
 * channels' clocks were told that nothing is unread, and now; what waited before a socket was added has come when it
 * was added. So a step of the wall clock, which the kernel stamps by, moves no packet out of these 20 ms.
 *
 * What was read stays in the memory that a replacement inherits until it is in the log.
 */
export class SocketReader {
  /** Where what is handed on is logged. */
  safety: Safety = { flush: () => 0, isWritten: () => true };
  readonly #native: NativeReader;
  readonly #handle: ReaderHandle;
  readonly #log: Log;
  readonly #memory: ReaderMemory;
  readonly #views: Uint8Array[];
  readonly #sockets: (ReadSocket | null)[] = [];
  readonly #free: number[] = [];
  readonly #leftovers = new Map<number, Leftover[]>();
  /** When the sockets were last known to be empty. */
  #dryUs = -Infinity;
  /** Of the last reading: when it began, what came of it, and how much of that was handed on. */
  #startUs = 0;
  #count = 0;
  #at = 0;
  /** What was read last is not safe yet: since when, and what is waited for. */
  #unsafeUs = -Infinity;
  #mark = 0;

  constructor(native: NativeReader, log: Log, { path, inheritedPorts }: SocketReaderOptions) {
    this.#native = native;
    this.#log = log;
    this.#handle = native.open(path, DATAGRAMS, DATAGRAM_BYTES);
    this.#memory = partsOf(native.memory(this.#handle), DATAGRAMS, DATAGRAM_BYTES);
    this.#views = Array.from({ length: DATAGRAMS }, (_, i) => this.#view(i, 0));
    this.#keepLeftovers(new Set(inheritedPorts));
  }

  /**
   * What a killed predecessor had read from the socket is handed on at once, as having come now.
   * @param taken whether what it had handed on, then, is known to be safe: it is left out
   * @throws Error when the kernel refuses
   */
  add(
    fd: number,
    localPort: number,
    receiveBufferBytes: number,
    handler: PacketHandler,
    taken: Taken = () => true,
  ): ReadSocket {
    const number = this.#free.pop() ?? this.#sockets.length;
    const socket = new ReadSocket(number, nowUs(), handler);
    const errno = this.#native.add(this.#handle, number, fd, receiveBufferBytes);
    if (errno !== 0) {
      this.#free.push(number);
      throw new Error(`socket cannot be read: errno ${errno}`);
    }
    this.#sockets[number] = socket;
    for (const { bytes, address, port, handedOnUs } of this.#leftovers.get(localPort) ?? []) {
      if (handedOnUs !== null && taken(bytes, handedOnUs)) continue;
      socket.lastUs += STEP_US;
      handler(bytes, address, port, socket.lastUs);
    }
    this.#leftovers.delete(localPort);
    return socket;
  }

  /** To be called before the socket is closed. */
  remove(socket: ReadSocket): void {
    if (this.#sockets[socket.number] !== socket) return;
    // Its number may soon be another's.
    this.#handOn(Infinity);
    const errno = this.#native.remove(this.#handle, socket.number);
    if (errno !== 0) this.#log.warn({ errno }, 'socket was not removed from the reader');
    this.#sockets[socket.number] = null;
    this.#free.push(socket.number);
  }

  /** All legs of the predecessor have their sockets: its ports may be lent for others from now on. */
  forgetLeftovers(): void {
    this.#leftovers.clear();
  }

  /**
   * Reads up to 256 datagrams and hands them on.
   * @param untilUs from then on no more are handed on in this call, so that the event loop may see to other things
   * @returns `empty`: all was read that had come before startUs (nowUs at the call). `more`: there may be more. `part`: some are not
   *   handed on yet: the next call, with the same startUs, goes on with them. `later`: what was read before is still on its
   *   way to the disk; what comes waits in the kernel meanwhile.
   */
  read(startUs: number, untilUs = Infinity): Reading {
    if (this.#at === this.#count) {
      if (!this.#safe(startUs)) return 'later';
      this.#begin(this.#native.read(this.#handle), startUs);
    }
    const reading = this.#handOn(untilUs);
    if (reading === 'empty') this.#dryUs = this.#startUs;
    return reading;
  }

  /** The same of one socket, ahead of the others, and all at once. What was read before is handed on first. */
  readOne(socket: ReadSocket, startUs: number): Reading {
    this.#handOn(Infinity);
    if (!this.#safe(startUs)) return 'later';
    this.#begin(this.#native.readOne(this.#handle, socket.number), startUs);
    return this.#handOn(Infinity);
  }

  #begin(count: number, startUs: number): void {
    this.#startUs = startUs;
    this.#count = count;
    this.#at = 0;
  }

  #handOn(untilUs: number): Reading {
    if (this.#at < this.#count) {
      while (this.#at < this.#count) {
        this.#dispatch(this.#at++, this.#startUs);
        const look = this.#at % LOOK_EVERY === 0 && this.#at < this.#count;
        if (look && nowUs() >= untilUs) return 'part';
      }
      this.#mark = this.safety.flush();
      this.#unsafeUs = this.#startUs;
      this.#safe(this.#startUs);
    }
    return this.#count < DATAGRAMS ? 'empty' : 'more';
  }

  /** Whether the memory may be used again. */
  #safe(nowUs: number): boolean {
    if (this.#unsafeUs === -Infinity) return true;
    if (!this.safety.isWritten(this.#mark) && nowUs - this.#unsafeUs < WRITE_LIMIT_US) return false;
    this.#memory.head[COUNT] = 0;
    this.#unsafeUs = -Infinity;
    return true;
  }

  /** @returns 0 or an errno */
  send(socket: ReadSocket, bytes: Uint8Array, address: string, port: number): number {
    return this.#native.send(this.#handle, socket.number, port, bytes, address);
  }

  /** What the kernel dropped for want of room; null when it does not say. */
  drops(socket: ReadSocket): number | null {
    const drops = this.#native.drops(this.#handle, socket.number);
    return drops < 0 ? null : drops;
  }

  #dispatch(at: number, startUs: number): void {
    const { records, arrivals } = this.#memory;
    const record = at * RECORD_WORDS;
    const socket = this.#sockets[records[record + SOCKET]!];
    if (socket === null || socket === undefined) return;
    if (records[record + NEW_SOURCE] !== 0) {
      socket.address = this.#addressOf(record);
      socket.port = records[record + SOURCE]! & 0xffff;
    }
    socket.read++;
    const length = records[record + LENGTH]!;
    if (length < 0) {
      socket.handler(OVERSIZE, socket.address, socket.port, startUs);
      return;
    }
    let view = this.#views[at]!;
    if (view.length !== length) {
      view = this.#view(at, length);
      this.#views[at] = view;
    }
    // Not after the reading began, nor before what its channel was told was complete; later than the one before it.
    let arrivalUs = arrivals[at]!;
    if (arrivalUs < 0 || arrivalUs > startUs) arrivalUs = startUs;
    if (arrivalUs < this.#dryUs) arrivalUs = this.#dryUs;
    if (arrivalUs <= socket.lastUs) arrivalUs = socket.lastUs + STEP_US;
    socket.lastUs = arrivalUs;
    // For a replacement that finds it in the log, too.
    arrivals[at] = arrivalUs;
    records[record + HANDED_ON] = 1;
    socket.handler(view, socket.address, socket.port, arrivalUs);
  }

  #view(at: number, length: number): Uint8Array {
    return this.#memory.bytes.subarray(at * DATAGRAM_BYTES, at * DATAGRAM_BYTES + length);
  }

  #addressOf(record: number): string {
    const { records } = this.#memory;
    const length = records[record + SOURCE]! >> 16 === 6 ? 16 : 4;
    return ipAddress(new Uint8Array(records.buffer, records.byteOffset + 4 * (record + ADDRESS), length));
  }

  #keepLeftovers(ports: ReadonlySet<number>): void {
    const { head, records, arrivals } = this.#memory;
    for (let at = 0; at < head[COUNT]!; at++) {
      const record = at * RECORD_WORDS;
      const [length, localPort] = [records[record + LENGTH]!, records[record + LOCAL_PORT]!];
      if (length < 0 || !ports.has(localPort)) continue;
      const list = this.#leftovers.get(localPort) ?? [];
      this.#leftovers.set(localPort, list);
      list.push({
        bytes: Uint8Array.from(this.#view(at, length)),
        address: this.#addressOf(record),
        port: records[record + SOURCE]! & 0xffff,
        handedOnUs: records[record + HANDED_ON] === 0 ? null : arrivals[at]!,
      });
    }
    // They stay in memory only until their sockets are there: a second death within these milliseconds is not provided for.
    head[COUNT] = 0;
  }
}
