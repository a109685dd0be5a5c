import type { Socket } from 'node:net';
import { StreamFramer } from '../parse/framing.ts';
import type { Connection, Flow, Proto } from './flow.ts';

/** A TCP or TLS connection: its framer, and what decides whether it is kept. */
export class StreamConnection implements Connection {
  readonly proto: Proto;
  readonly socket: Socket;
  readonly framer = new StreamFramer();
  readonly #queuedLimit: number;
  flow: Flow | undefined;
  /** Addresses (`host:port`) under which it is found for sending. */
  readonly keys = new Set<string>();
  /** The one of `keys` that the peer asked for (RFC 5923). */
  alias: string | undefined;
  /** Monotonic time in ms since when a message has been incomplete; undefined while none is. */
  partialSinceMs: number | undefined;
  lastActiveMs: number;

  /** @param outbound made by us: the peer need not speak first */
  constructor(proto: Proto, socket: Socket, queuedLimit: number, nowMs: number, outbound: boolean) {
    this.proto = proto;
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
