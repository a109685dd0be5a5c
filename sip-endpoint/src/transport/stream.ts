import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Log } from '../log.ts';
import type { ParseResult } from '../parse/message.ts';
import { StreamConnection } from './connection.ts';
import { DEFAULT_PORT, plainAddress, type Connection, type Flow, type Proto } from './flow.ts';
import { listen, type Binding } from './handles.ts';

export interface StreamLimits {
  /** Connections held; beyond it the one idle longest is closed. */
  readonly connections: number;
  /** Connections from one address; more are refused. */
  readonly perSource: number;
  /** A message that has begun, or the first one of a connection, must be complete after this time. */
  readonly messageMs: number;
  /** A connection that no dialog uses is closed when nothing came for this time. */
  readonly idleMs: number;
  /** Bytes waiting for a peer that does not read; beyond it the connection is closed. */
  readonly queuedBytes: number;
}

/** SBCs that keep their connections ask OPTIONS every 30 s to 5 min; some open one a call. */
export const STREAM_LIMITS: StreamLimits = {
  connections: 4096,
  perSource: 1024,
  messageMs: 32_000,
  idleMs: 900_000,
  queuedBytes: 4 * 1024 * 1024,
};

/** How connections are taken and made: plain ones, or those of `tls.ts`. */
export interface StreamKind {
  readonly proto: Exclude<Proto, 'udp'>;
  server(adopt: (socket: Socket) => void): Server;
  /** The event that `socket` emits when it can be written to is `connected`. */
  dial(host: string, port: number): Socket;
  readonly connected: 'connect' | 'secureConnect';
  /**
   * Whether what a peer says of its port may be believed (RFC 5923 section 8). Over TLS its certificate shows who it is. Over plain TCP
   * the address that it came from is all that is known of anyone, SIP_ALLOW goes by it too, and the newest connection is believed: one
   * that a peer lost without a word looks open for minutes.
   */
  trusts(socket: Socket): boolean;
}

export const PLAIN: StreamKind = {
  proto: 'tcp',
  server: (adopt) => createServer(adopt),
  dial: (host, port) => connect({ host, port }),
  connected: 'connect',
  trusts: () => true,
};

export interface StreamOptions {
  readonly binding: Binding;
  readonly kind: StreamKind;
  readonly receive: (result: ParseResult, flow: Flow) => void;
  /** Connections that dialogs use. */
  readonly inUse: () => ReadonlySet<Connection>;
  readonly log: Log;
  readonly limits: StreamLimits;
}

/** Dead peers are found by TCP keep-alive: a call may last for days without a SIP message. */
const KEEP_ALIVE_MS = 45_000;
const SWEEP_MS = 5000;
const PONG = Buffer.from('\r\n');

/** SIP over TCP or TLS: a listening socket, and connections made in either direction. */
export class StreamTransport {
  readonly #options: StreamOptions;
  readonly #server: Server;
  readonly #connections = new Set<StreamConnection>();
  /** Connections by the addresses they were made to or came from, and by their aliases. */
  readonly #byRemote = new Map<string, StreamConnection>();
  /** What the listening socket took and is not closed, connections in a TLS handshake included. */
  readonly #accepted = new Set<Socket>();
  /** The same, counted by source address. */
  readonly #bySource = new Map<string, number>();
  readonly #sweep: NodeJS.Timeout;
  #address = '';
  #port = 0;

  static async open(options: StreamOptions): Promise<StreamTransport> {
    const transport = new StreamTransport(options);
    try {
      await listen(transport.#server, options.binding);
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

  private constructor(options: StreamOptions) {
    this.#options = options;
    const { kind, log, limits } = options;
    this.#server = kind.server((socket) => this.#adopt(socket, false));
    this.#server.prependListener('connection', (socket: Socket) => this.#count(socket));
    this.#server.on('error', (error) => log.warn({ err: error, proto: kind.proto }, 'SIP listener error'));
    const everyMs = Math.min(SWEEP_MS, limits.messageMs / 2, limits.idleMs / 2);
    this.#sweep = setInterval(() => this.#closeStalled(), everyMs);
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
    const { kind } = this.#options;
    const socket = kind.dial(host, port);
    const connection = this.#adopt(socket, true);
    this.#name(connection, key);
    let connected = false;
    socket.once(kind.connected, () => (connected = true));
    socket.once('close', () => {
      if (!connected) failed(new Error(`SIP connection over ${kind.proto} could not be made`));
    });
    connection.send(bytes);
  }

  /**
   * A peer asked for its connection to be used for requests to the port of its Via (`alias`, RFC 5923 section 5). Its
   * address is the one it came from, whatever it says; over TLS its certificate must have been checked.
   */
  alias(flow: Flow, port: number | undefined): void {
    const { connection } = flow;
    if (!(connection instanceof StreamConnection) || !this.#options.kind.trusts(connection.socket)) return;
    const key = `${flow.remoteAddress}:${port ?? DEFAULT_PORT[flow.proto]}`;
    // One for each connection: a peer must not fill the table with all the ports there are.
    if (connection.alias !== undefined && connection.alias !== key)
      this.#forget(connection, connection.alias);
    connection.alias = key;
    this.#name(connection, key);
  }

  #forget(connection: StreamConnection, key: string): void {
    connection.keys.delete(key);
    if (this.#byRemote.get(key) === connection) this.#byRemote.delete(key);
  }

  #name(connection: StreamConnection, key: string): void {
    connection.keys.add(key);
    this.#byRemote.set(key, connection);
  }

  #count(socket: Socket): void {
    this.#accepted.add(socket);
    const source = plainAddress(socket.remoteAddress ?? '');
    const count = (this.#bySource.get(source) ?? 0) + 1;
    this.#bySource.set(source, count);
    socket.once('close', () => {
      this.#accepted.delete(socket);
      const left = (this.#bySource.get(source) ?? 1) - 1;
      if (left === 0) this.#bySource.delete(source);
      else this.#bySource.set(source, left);
    });
    if (count <= this.#options.limits.perSource) return;
    this.#options.log.debug({ proto: this.#options.kind.proto }, 'too many SIP connections from one address');
    socket.destroy();
  }

  #adopt(socket: Socket, outbound: boolean): StreamConnection {
    const { limits, log, kind } = this.#options;
    const connection = new StreamConnection(
      kind.proto,
      socket,
      limits.queuedBytes,
      performance.now(),
      outbound,
    );
    if (socket.destroyed) return connection;
    this.#connections.add(connection);
    if (this.#connections.size > limits.connections) this.#closeIdlest(connection);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    // 'close' follows every 'error'; a peer that resets is nothing to warn about.
    socket.on('error', (error) => log.debug({ err: error, proto: kind.proto }, 'SIP connection error'));
    socket.on('close', () => {
      this.#connections.delete(connection);
      for (const key of connection.keys) this.#forget(connection, key);
    });
    socket.on('data', (chunk: Buffer) => this.#read(connection, chunk));
    if (!outbound) this.#setFlow(connection);
    return connection;
  }

  #setFlow(connection: StreamConnection): Flow {
    const { socket } = connection;
    const flow: Flow = {
      proto: this.#options.kind.proto,
      remoteAddress: plainAddress(socket.remoteAddress ?? ''),
      remotePort: socket.remotePort ?? 0,
      localAddress: plainAddress(socket.localAddress ?? ''),
      localPort: this.#port,
      connection,
    };
    connection.flow = flow;
    this.#name(connection, `${flow.remoteAddress}:${flow.remotePort}`);
    return flow;
  }

  #read(connection: StreamConnection, chunk: Buffer): void {
    const flow = connection.flow ?? this.#setFlow(connection);
    connection.lastActiveMs = performance.now();
    let complete = false;
    for (const event of connection.framer.push(chunk)) {
      if (event.kind === 'ping') connection.send(PONG);
      else {
        complete = true;
        this.#options.receive(event.result, flow);
      }
      // The answer, if there is one, is in the socket's queue before the end.
      if (event.kind === 'broken') connection.socket.end();
    }
    if (!connection.framer.partial) connection.partialSinceMs = undefined;
    else if (complete) connection.partialSinceMs = connection.lastActiveMs;
    else connection.partialSinceMs ??= connection.lastActiveMs;
  }

  #closeStalled(): void {
    const { limits, inUse } = this.#options;
    const nowMs = performance.now();
    const idle: StreamConnection[] = [];
    for (const connection of this.#connections) {
      const { partialSinceMs, lastActiveMs } = connection;
      if (partialSinceMs !== undefined && partialSinceMs < nowMs - limits.messageMs)
        connection.socket.destroy();
      else if (lastActiveMs < nowMs - limits.idleMs) idle.push(connection);
    }
    if (idle.length === 0) return;
    const used = inUse();
    for (const connection of idle) if (!used.has(connection)) connection.socket.destroy();
  }

  #closeIdlest(except: StreamConnection): void {
    const used = this.#options.inUse();
    const rank = (connection: StreamConnection): number =>
      connection.lastActiveMs + (used.has(connection) ? 1e15 : 0);
    let idlest: StreamConnection | undefined;
    for (const connection of this.#connections) {
      if (connection === except) continue;
      if (idlest === undefined || rank(connection) < rank(idlest)) idlest = connection;
    }
    idlest?.socket.destroy();
  }

  async close(): Promise<void> {
    clearInterval(this.#sweep);
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const connection of this.#connections) connection.socket.destroy();
    // Whoever opened the TLS port and says nothing is not waited for.
    for (const socket of this.#accepted) socket.destroy();
    await closed;
  }
}
