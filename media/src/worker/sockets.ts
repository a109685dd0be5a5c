import dgram from 'node:dgram';
import { isIP } from 'node:net';
import type { LentSocket, Log } from '@earshot/platform';
import { nowUs } from './clock.ts';
import type { PacketHandler, ReadSocket, SocketReader, Taken } from './socket-reader.ts';

/** The kernel keeps this much while a worker is replaced: some 27 s of a stream (a packet counts about 768 bytes). */
const RECEIVE_BUFFER_BYTES = 1024 * 1024;
/** Turns of the event loop without a packet after which a socket that dgram reads counts as read dry. */
const DRY_TURNS = 3;
/** Where a machine is overloaded or its disk pushes back, what a stalled worker has yet to read takes so long. */
const DRY_LIMIT_US = 2_000_000;
/** All that a receive buffer holds. */
const CATCH_UP_PARTS = 8;

export interface LentPair {
  readonly rtp: LentSocket;
  readonly rtcp: LentSocket;
}

/** Where a channel's datagrams go. */
export interface ChannelHandlers {
  readonly rtp: PacketHandler;
  /** What came to the RTCP port; RTCP on the RTP port (RFC 5761) goes to rtp like the rest. */
  readonly rtcp: PacketHandler;
}

/** A lent socket that is read and can send: by the native reader, or by dgram where that is not to be had. */
interface OpenSocket {
  /** Datagrams read. */
  readonly read: number;
  /** @param address of IPv4 or IPv6, no name. Datagrams that cannot be sent are lost, as on the way. */
  send(bytes: Uint8Array, address: string, port: number): void;
  /** Resolves when what was in the kernel's buffer has been read. */
  readDry(): Promise<void>;
  /** Reads what is there, at once. Dgram cannot: it reads when the event loop comes to it. */
  catchUp(): void;
  /** What the kernel dropped for want of room since the last time that this was asked; 0 where it cannot be had. */
  newDrops(): number;
  /** Our end only: host's stays open. */
  close(): void;
}

/** A channel's two sockets. Host owns them: closing ours leaves its own open, and what comes meanwhile is kept. */
export class ChannelSockets {
  readonly rtpPort: number;
  readonly rtcpPort: number;
  readonly #rtp: OpenSocket;
  readonly #rtcp: OpenSocket;

  /**
   * @param reader null where dgram is to read
   * @param taken tells which of the packets that a killed predecessor had read are in its files
   */
  constructor(
    lent: LentPair,
    handlers: ChannelHandlers,
    log: Log,
    reader: SocketReader | null,
    taken: Taken = () => false,
  ) {
    this.rtpPort = lent.rtp.port;
    this.rtcpPort = lent.rtcp.port;
    this.#rtp = openSocket(lent.rtp, handlers.rtp, log, reader, taken);
    // RTCP is not logged: what was handed on is not handed on again.
    this.#rtcp = openSocket(lent.rtcp, handlers.rtcp, log, reader, () => true);
  }

  /** Datagrams read. */
  get rtpRead(): number {
    return this.#rtp.read;
  }
  get rtcpRead(): number {
    return this.#rtcp.read;
  }

  /** @param from the socket that it goes out of: the RTP one where RTP and RTCP share a port (RFC 5761) */
  sendRtcp(bytes: Uint8Array, address: string, port: number, from: 'rtp' | 'rtcp' = 'rtcp'): void {
    (from === 'rtp' ? this.#rtp : this.#rtcp).send(bytes, address, port);
  }

  /** For whoever is about to change how packets are taken: those that came before count as before, where that can be had. */
  catchUp(): void {
    this.#rtp.catchUp();
    this.#rtcp.catchUp();
  }

  /** RTP packets that the kernel dropped for want of room since the last time that this was asked. */
  newDrops(): number {
    return this.#rtp.newDrops();
  }

  /** Resolves when what was in the kernel's buffer has been read. */
  async readDry(): Promise<void> {
    await Promise.all([this.#rtp.readDry(), this.#rtcp.readDry()]);
  }

  close(): void {
    this.#rtp.close();
    this.#rtcp.close();
  }
}

/** Node's raw UDP handle, as far as it is used here. */
interface UdpHandle {
  readonly fd: number;
  getsockname(out: { address?: string }): number;
  close(): void;
}

function openSocket(
  lent: LentSocket,
  handler: PacketHandler,
  log: Log,
  reader: SocketReader | null,
  taken: Taken,
): OpenSocket {
  if (reader === null) return new DgramSocket(lent, handler, log);
  try {
    return new BatchSocket(lent, handler, log, reader, taken);
  } catch (error) {
    log.warn({ err: error, port: lent.port, kind: lent.kind }, 'socket is read by dgram instead');
    return new DgramSocket(lent, handler, log);
  }
}

/** Read by the native reader, together with all others, at each turn of the worker's timer. */
class BatchSocket implements OpenSocket {
  readonly #handle: UdpHandle;
  readonly #reader: SocketReader;
  readonly #socket: ReadSocket;
  readonly #log: Log;
  #dropsTold: number;

  constructor(lent: LentSocket, handler: PacketHandler, log: Log, reader: SocketReader, taken: Taken) {
    this.#handle = lent.handle as UdpHandle;
    this.#reader = reader;
    this.#log = log;
    this.#socket = reader.add(this.#handle.fd, lent.port, RECEIVE_BUFFER_BYTES, handler, taken);
    // The socket may have been read before, by a predecessor.
    this.#dropsTold = reader.drops(this.#socket) ?? 0;
  }

  get read(): number {
    return this.#socket.read;
  }

  send(bytes: Uint8Array, address: string, port: number): void {
    const errno = this.#reader.send(this.#socket, bytes, address, port);
    if (errno !== 0) this.#log.debug({ errno }, 'RTCP not sent');
  }

  async readDry(): Promise<void> {
    const untilUs = nowUs() + DRY_LIMIT_US;
    while (this.#reader.readOne(this.#socket, nowUs()) !== 'empty' && nowUs() < untilUs) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  catchUp(): void {
    for (
      let part = 0;
      part < CATCH_UP_PARTS && this.#reader.readOne(this.#socket, nowUs()) === 'more';
      part++
    );
  }

  newDrops(): number {
    const drops = this.#reader.drops(this.#socket) ?? this.#dropsTold;
    const more = Math.max(0, drops - this.#dropsTold);
    this.#dropsTold = drops;
    return more;
  }

  close(): void {
    this.#reader.remove(this.#socket);
    this.#handle.close();
  }
}

class DgramSocket implements OpenSocket {
  read = 0;
  readonly #socket: dgram.Socket;
  readonly #log: Log;
  readonly #v6: boolean;

  constructor(lent: LentSocket, handler: PacketHandler, log: Log) {
    this.#log = log;
    this.#v6 = isV6(lent.handle as UdpHandle);
    this.#socket = adopt(lent, this.#v6 ? 'udp6' : 'udp4', log);
    this.#socket.on('message', (datagram, source) => {
      this.read++;
      handler(datagram, source.address, source.port, nowUs());
    });
  }

  send(bytes: Uint8Array, address: string, port: number): void {
    // A copy: dgram sends after the call, and the bytes are the caller's again by then.
    const to = this.#v6 && isIP(address) === 4 ? `::ffff:${address}` : address;
    this.#socket.send(Uint8Array.from(bytes), port, to, (error) => {
      if (error !== null) this.#log.debug({ err: error }, 'RTCP not sent');
    });
  }

  async readDry(): Promise<void> {
    const untilUs = nowUs() + DRY_LIMIT_US;
    let seen = this.read;
    for (let quiet = 0; quiet < DRY_TURNS && nowUs() < untilUs; quiet++) {
      await new Promise((resolve) => setImmediate(resolve));
      if (this.read !== seen) quiet = -1;
      seen = this.read;
    }
  }

  catchUp(): void {
    // See OpenSocket.
  }

  newDrops(): number {
    return 0;
  }

  close(): void {
    this.#socket.close();
  }
}

function isV6(handle: UdpHandle): boolean {
  const name: { address?: string } = {};
  handle.getsockname(name);
  return isIP(name.address ?? '') === 6;
}

function adopt(lent: LentSocket, type: dgram.SocketType, log: Log): dgram.Socket {
  const socket = dgram.createSocket(type);
  socket.on('error', (error) => log.warn({ err: error, port: lent.port, kind: lent.kind }, 'socket error'));
  // bind() takes a raw UDP handle (Node 24), which its types do not say.
  socket.bind(lent.handle as dgram.BindOptions);
  try {
    socket.setRecvBufferSize(RECEIVE_BUFFER_BYTES);
  } catch (error) {
    log.debug({ err: error, port: lent.port }, 'receive buffer size not set');
  }
  return socket;
}
