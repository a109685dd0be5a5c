import type { Log } from '@earshot/platform';
import {
  ADDRESS,
  LENGTH,
  type NativeReader,
  PORT,
  type ReaderHandle,
  RECORD_WORDS,
  SOCKET,
  SOURCE,
} from '../native/reader.ts';
import { nowUs } from './clock.ts';

/** One call's datagrams: some 2 ms of work with all that follows, after which the event loop may see to other things. */
const DATAGRAMS = 256;
/** MAX_PAYLOAD_BYTES with a header and 15 CSRCs (RFC 3550), and room for extensions; no power of two, for the cache's sake. */
const DATAGRAM_BYTES = 2304;
/** Some 20 ms of work; only after a long pause there is more, and then the timer's turns read on. */
const CATCH_UP_PARTS = 8;
/** Arrivals of one socket rise by at least so much. */
const STEP_US = 0.01;

/** datagram is the reader's: copy what outlives the call. */
export type PacketHandler = (datagram: Uint8Array, address: string, port: number, arrivalUs: number) => void;

/** A socket that is read, and where what it receives goes. */
export class ReadSocket {
  /** Datagrams read. */
  read = 0;
  /** Of them, those that are longer than any RTP of telephony; they go nowhere. */
  oversize = 0;
  address = '';
  port = 0;
  lastUs: number;
  readonly number: number;
  readonly fd: number;
  readonly handler: PacketHandler;

  constructor(number: number, fd: number, sinceUs: number, handler: PacketHandler) {
    this.number = number;
    this.fd = fd;
    this.lastUs = sinceUs;
    this.handler = handler;
  }
}

/**
 * Reads all sockets of a worker in a few calls of the native reader. Nothing is allocated for a datagram once its socket has been
 * heard from: the bytes stay where the kernel put them, and each place keeps its view while lengths stay the same.
 *
 * Arrival is the kernel's time. It is kept between the last reading that found the sockets empty, up to which the
 * channels' clocks were told that nothing is unread, and now; what waited before a socket was added has come when it
 * was added. So a step of the wall clock, which the kernel stamps by, moves no packet out of these 20 ms.
 */
export class SocketReader {
  readonly #native: NativeReader;
  readonly #handle: ReaderHandle;
  readonly #log: Log;
  readonly #bytes = new Uint8Array(DATAGRAMS * DATAGRAM_BYTES);
  readonly #records = new Int32Array(DATAGRAMS * RECORD_WORDS);
  readonly #arrivals = new Float64Array(DATAGRAMS);
  readonly #views: Uint8Array[];
  readonly #sockets: (ReadSocket | null)[] = [];
  readonly #free: number[] = [];
  /** When the sockets were last known to be empty. */
  #dryUs = -Infinity;

  constructor(native: NativeReader, log: Log) {
    this.#native = native;
    this.#log = log;
    this.#views = Array.from({ length: DATAGRAMS }, (_, i) => this.#view(i, 0));
    this.#handle = native.open(this.#bytes, this.#records, this.#arrivals, DATAGRAMS);
  }

  /** @throws Error when the kernel refuses */
  add(fd: number, receiveBufferBytes: number, handler: PacketHandler): ReadSocket {
    const number = this.#free.pop() ?? this.#sockets.length;
    const socket = new ReadSocket(number, fd, nowUs(), handler);
    const errno = this.#native.add(this.#handle, number, fd, receiveBufferBytes);
    if (errno !== 0) {
      this.#free.push(number);
      throw new Error(`socket cannot be read: errno ${errno}`);
    }
    this.#sockets[number] = socket;
    return socket;
  }

  /** To be called before the socket is closed. */
  remove(socket: ReadSocket): void {
    if (this.#sockets[socket.number] !== socket) return;
    const errno = this.#native.remove(this.#handle, socket.number);
    if (errno !== 0) this.#log.warn({ errno }, 'socket was not removed from the reader');
    this.#sockets[socket.number] = null;
    this.#free.push(socket.number);
  }

  /**
   * Reads up to 256 datagrams and hands them on.
   * @returns whether all was read that had come before startUs (nowUs at the call)
   */
  read(startUs: number): boolean {
    const count = this.#native.read(this.#handle);
    for (let at = 0; at < count; at++) this.#dispatch(at, startUs);
    if (count === DATAGRAMS) return false;
    this.#dryUs = startUs;
    return true;
  }

  /** Reads what waits, for whoever is about to change how packets are taken: those that came before count as before. */
  catchUp(): void {
    for (let part = 0; part < CATCH_UP_PARTS && !this.read(nowUs()); part++);
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
    const records = this.#records;
    const record = at * RECORD_WORDS;
    const socket = this.#sockets[records[record + SOCKET]!];
    if (socket === null || socket === undefined) return;
    if (records[record + SOURCE] !== 0) this.#sourceOf(socket, record);
    socket.read++;
    const length = records[record + LENGTH]!;
    if (length < 0) {
      socket.oversize++;
      return;
    }
    let view = this.#views[at]!;
    if (view.length !== length) {
      view = this.#view(at, length);
      this.#views[at] = view;
    }
    // Not after the reading began, nor before what its channel was told was complete; later than the one before it.
    let arrivalUs = this.#arrivals[at]!;
    if (arrivalUs < 0 || arrivalUs > startUs) arrivalUs = startUs;
    if (arrivalUs < this.#dryUs) arrivalUs = this.#dryUs;
    if (arrivalUs <= socket.lastUs) arrivalUs = socket.lastUs + STEP_US;
    socket.lastUs = arrivalUs;
    socket.handler(view, socket.address, socket.port, arrivalUs);
  }

  #view(at: number, length: number): Uint8Array {
    return this.#bytes.subarray(at * DATAGRAM_BYTES, at * DATAGRAM_BYTES + length);
  }

  #sourceOf(socket: ReadSocket, record: number): void {
    const v6 = this.#records[record + SOURCE] === 6;
    const bytes = new Uint8Array(this.#records.buffer, (record + ADDRESS) * 4, v6 ? 16 : 4);
    socket.address = v6 ? ipv6(bytes) : bytes.join('.');
    socket.port = this.#records[record + PORT]!;
  }
}

const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/**
 * As libuv writes it (inet_ntop): RFC 5952, the first of the longest runs of two or more zero groups as `::`, and IPv4-mapped
 * addresses with their last four bytes in decimal.
 */
export function ipv6(bytes: Uint8Array): string {
  if (MAPPED.every((byte, i) => bytes[i] === byte)) return `::ffff:${bytes.subarray(12).join('.')}`;
  const groups = Array.from({ length: 8 }, (_, i) => (bytes[2 * i]! << 8) | bytes[2 * i + 1]!);
  let [best, length] = [0, 1];
  for (let from = 0; from < 8; from++) {
    let to = from;
    while (to < 8 && groups[to] === 0) to++;
    if (to - from > length) [best, length] = [from, to - from];
  }
  const hex = groups.map((group) => group.toString(16));
  if (length < 2) return hex.join(':');
  return `${hex.slice(0, best).join(':')}::${hex.slice(best + length).join(':')}`;
}
