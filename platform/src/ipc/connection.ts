import type net from 'node:net';
import { encodeFrame, FrameReader } from './frame.ts';

export interface ConnectionHandlers<In> {
  /** The body is valid during the call only. */
  message(message: In, body: Uint8Array): void;
  close(error: Error | null): void;
}

/**
 * One end of a socket between two of our processes. Out and In are the unions of contracts/messages.
 * The bound in bytes is the sender's: look at bufferedBytes (or the result of send) and apply the arrow's policy.
 */
export class Connection<In, Out> {
  readonly #socket: net.Socket;
  #closed = false;
  #corked = false;

  constructor(socket: net.Socket, handlers: ConnectionHandlers<In>) {
    this.#socket = socket;
    let failure: Error | null = null;
    const reader = new FrameReader((message, body) => {
      if (!this.#closed) handlers.message(message as In, body);
    });
    socket.on('data', (chunk: Buffer) => {
      try {
        reader.push(chunk);
      } catch (error) {
        // A broken frame or a handler that threw: a bug on one of the two sides, which a redial alone would hide.
        failure = error as Error;
        process.emitWarning(failure);
        socket.destroy();
      }
    });
    socket.on('error', (error) => (failure = error));
    socket.on('close', () => {
      this.#closed = true;
      handlers.close(failure);
    });
  }

  /**
   * @param body the caller's again after the call
   * @returns false when the socket's buffer is over its high-water mark: stop if the policy says so.
   */
  send(message: Out, body?: Uint8Array): boolean {
    if (this.#closed) return false;
    this.#cork();
    return this.#socket.write(encodeFrame(message, body));
  }

  /** What is sent in one turn of the loop is one system call, not one a message. */
  #cork(): void {
    if (this.#corked) return;
    this.#corked = true;
    this.#socket.cork();
    process.nextTick(() => {
      this.#corked = false;
      this.#socket.uncork();
    });
  }

  get bufferedBytes(): number {
    return this.#socket.writableLength;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Resolves when the socket took everything, or closed. */
  drained(): Promise<void> {
    if (this.#closed || !this.#socket.writableNeedDrain) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        this.#socket.off('drain', done);
        this.#socket.off('close', done);
        resolve();
      };
      this.#socket.on('drain', done);
      this.#socket.on('close', done);
    });
  }

  /** Sends what is buffered, then closes. */
  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
