import net from 'node:net';
import { Connection } from './connection.ts';

export interface DialHandlers<In, Out> {
  open(connection: Connection<In, Out>): void;
  message(message: In, body: Uint8Array): void;
  /** The link broke and is dialled again. Not called after close(). */
  lost(): void;
}

const FIRST_RETRY_MS = 20;
const LAST_RETRY_MS = 500;

/** The upstream end of an arrow: dials, and redials for ever, because its peer is restarted by host. */
export class Dialer<In, Out> {
  connection: Connection<In, Out> | null = null;
  readonly #path: string;
  readonly #handlers: DialHandlers<In, Out>;
  #retryMs = FIRST_RETRY_MS;
  #timer: NodeJS.Timeout | null = null;
  #socket: net.Socket | null = null;
  #closed = false;

  constructor(path: string, handlers: DialHandlers<In, Out>) {
    this.#path = path;
    this.#handlers = handlers;
    this.#dial();
  }

  /** Sends if connected. @returns false when there is no connection or its buffer is full. */
  send(message: Out, body?: Uint8Array): boolean {
    return this.connection?.send(message, body) ?? false;
  }

  close(): void {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.connection !== null) this.connection.end();
    else this.#socket?.destroy();
  }

  #dial(): void {
    const socket = net.connect(this.#path);
    this.#socket = socket;
    const connection = new Connection<In, Out>(socket, {
      message: (message, body) => this.#handlers.message(message, body),
      close: () => {
        const wasOpen = this.connection === connection;
        this.connection = null;
        if (this.#closed) return;
        if (wasOpen) this.#handlers.lost();
        this.#timer = setTimeout(() => this.#dial(), this.#retryMs);
        this.#retryMs = Math.min(this.#retryMs * 2, LAST_RETRY_MS);
      },
    });
    socket.on('connect', () => {
      this.#retryMs = FIRST_RETRY_MS;
      this.connection = connection;
      this.#handlers.open(connection);
    });
  }
}
