import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Log } from '../log.ts';
import type { ParseResult } from '../parse/message.ts';
import { StreamFramer } from '../parse/framing.ts';
import { bareHost, type Connection, type Flow } from './flow.ts';
import { listen, type Binding } from './handles.ts';

export interface TcpLimits {
  /** Connections held; beyond it the one idle longest is closed. */
  readonly connections: number;
  /** A message that has begun, or the first one of a connection, must be complete after this time. */
  readonly messageMs: number;
  /** Bytes waiting for a peer that does not read; beyond it the connection is closed. */
  readonly queuedBytes: number;
}

export const TCP_LIMITS: TcpLimits = { connections: 4096, messageMs: 32_000, queuedBytes: 4 * 1024 * 1024 };

/** Dead peers are found by TCP keep-alive: a call may last for days without a SIP message. */
const KEEP_ALIVE_MS = 45_000;
const SWEEP_MS = 5000;
const PONG = Buffer.from('\r\n');

class TcpConnection implements Connection {
  readonly socket: Socket;
  readonly framer = new StreamFramer();
  readonly #queuedLimit: number;
  flow: Flow | undefined;
  /** Monotonic time in ms since when a message has been incomplete; undefined while none is. */
  partialSinceMs: number | undefined;
  lastActiveMs: number;

  constructor(socket: Socket, queuedLimit: number, nowMs: number, outbound: boolean) {
    this.socket = socket;
    this.#queuedLimit = queuedLimit;
    this.lastActiveMs = nowMs;
    this.partialSinceMs = outbound ? undefined : nowMs;
  }

  get open(): boolean {
    return !this.socket.destroyed && this.socket.writable;
  }

  send(bytes: Buffer): void {
    if (!this.open) return;
    this.socket.write(bytes);
    if (this.socket.writableLength > this.#queuedLimit) this.socket.destroy();
  }
}

/** SIP over TCP: a listening socket, and connections made in either direction. */
export class TcpTransport {
  readonly #server: Server;
  readonly #receive: (result: ParseResult, flow: Flow) => void;
  readonly #log: Log;
  readonly #limits: TcpLimits;
  readonly #connections = new Set<TcpConnection>();
  /** Connections by the address they were made to or came from. */
  readonly #byRemote = new Map<string, TcpConnection>();
  readonly #sweep: NodeJS.Timeout;
  #address = '';
  #port = 0;

  static async open(
    binding: Binding,
    receive: (result: ParseResult, flow: Flow) => void,
    log: Log,
    limits: TcpLimits = TCP_LIMITS,
  ): Promise<TcpTransport> {
    const transport = new TcpTransport(receive, log, limits);
    try {
      await listen(transport.#server, binding);
    } catch (error) {
      clearInterval(transport.#sweep);
      throw error;
    }
    const local = transport.#server.address();
    if (local !== null && typeof local === 'object') {
      transport.#address = local.address;
      transport.#port = local.port;
    }
    return transport;
  }

  private constructor(receive: (result: ParseResult, flow: Flow) => void, log: Log, limits: TcpLimits) {
    this.#receive = receive;
    this.#log = log;
    this.#limits = limits;
    this.#server = createServer((socket) => this.#adopt(socket, false));
    this.#server.on('error', (error) => log.warn({ err: error }, 'SIP TCP listener error'));
    this.#sweep = setInterval(() => this.#closeStalled(), Math.min(SWEEP_MS, limits.messageMs / 2));
    this.#sweep.unref();
  }

  get address(): string {
    return this.#address;
  }

  get port(): number {
    return this.#port;
  }

  get connections(): number {
    return this.#connections.size;
  }

  /** Sends on an open connection to that address, or makes one. */
  send(bytes: Buffer, host: string, port: number, failed: (error: Error) => void): void {
    const key = `${host}:${port}`;
    const known = this.#byRemote.get(key);
    if (known?.open === true) return known.send(bytes);
    const socket = connect({ host, port });
    const connection = this.#adopt(socket, true);
    this.#byRemote.set(key, connection);
    let connected = false;
    socket.once('connect', () => (connected = true));
    socket.once('close', () => {
      if (!connected) failed(new Error('SIP TCP connection could not be made'));
      if (this.#byRemote.get(key) === connection) this.#byRemote.delete(key);
    });
    connection.send(bytes);
  }

  #adopt(socket: Socket, outbound: boolean): TcpConnection {
    const connection = new TcpConnection(socket, this.#limits.queuedBytes, performance.now(), outbound);
    this.#connections.add(connection);
    if (this.#connections.size > this.#limits.connections) this.#closeIdlest(connection);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    // 'close' follows every 'error'; a peer that resets is nothing to warn about.
    socket.on('error', (error) => this.#log.debug({ err: error, proto: 'tcp' }, 'SIP TCP connection error'));
    socket.on('close', () => {
      this.#connections.delete(connection);
      const key = `${connection.flow?.remoteAddress}:${connection.flow?.remotePort}`;
      if (this.#byRemote.get(key) === connection) this.#byRemote.delete(key);
    });
    socket.on('data', (chunk: Buffer) => this.#read(connection, chunk));
    if (!outbound) this.#setFlow(connection);
    return connection;
  }

  #setFlow(connection: TcpConnection): Flow {
    const { socket } = connection;
    const flow: Flow = {
      proto: 'tcp',
      remoteAddress: plainAddress(socket.remoteAddress ?? ''),
      remotePort: socket.remotePort ?? 0,
      localAddress: plainAddress(socket.localAddress ?? ''),
      localPort: this.#port,
      connection,
    };
    connection.flow = flow;
    this.#byRemote.set(`${flow.remoteAddress}:${flow.remotePort}`, connection);
    return flow;
  }

  #read(connection: TcpConnection, chunk: Buffer): void {
    const flow = connection.flow ?? this.#setFlow(connection);
    connection.lastActiveMs = performance.now();
    let complete = false;
    for (const event of connection.framer.push(chunk)) {
      if (event.kind === 'ping') connection.send(PONG);
      else {
        complete = true;
        this.#receive(event.result, flow);
      }
      // The answer, if there is one, is in the socket's queue before the end.
      if (event.kind === 'broken') connection.socket.end();
    }
    if (!connection.framer.partial) connection.partialSinceMs = undefined;
    else if (complete) connection.partialSinceMs = connection.lastActiveMs;
    else connection.partialSinceMs ??= connection.lastActiveMs;
  }

  #closeStalled(): void {
    const oldest = performance.now() - this.#limits.messageMs;
    for (const connection of this.#connections) {
      if (connection.partialSinceMs !== undefined && connection.partialSinceMs < oldest)
        connection.socket.destroy();
    }
  }

  #closeIdlest(except: TcpConnection): void {
    let idlest: TcpConnection | undefined;
    for (const connection of this.#connections) {
      if (connection === except) continue;
      if (idlest === undefined || connection.lastActiveMs < idlest.lastActiveMs) idlest = connection;
    }
    idlest?.socket.destroy();
  }

  async close(): Promise<void> {
    clearInterval(this.#sweep);
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const connection of this.#connections) connection.socket.destroy();
    await closed;
  }
}

/** An IPv4 address that arrived on a dual-stack socket, without its `::ffff:`. */
function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : bareHost(address);
}
