import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { encodeFrame, FrameDecoder } from '../../src/wire/frame.ts';
import { withLimit } from './wait.ts';

/** A frame from the endpoint: its leader's tokens and the SIP text. */
export interface Frame {
  readonly tokens: string[];
  readonly text: string;
}

/** A bare application on the wire protocol, for what drachtio-srf would not do. */
export class WireClient {
  readonly frames: Frame[] = [];
  readonly #socket: Socket;
  readonly #waiters = new Set<() => void>();
  closed = false;

  static async connect(port: number): Promise<WireClient> {
    const socket = connect({ port, host: '127.0.0.1' });
    await once(socket, 'connect');
    return new WireClient(socket);
  }

  /** Connected, authenticated, and routing these methods. */
  static async app(port: number, ...methods: string[]): Promise<WireClient> {
    const client = await WireClient.connect(port);
    await client.command('authenticate|secret|');
    for (const method of methods) await client.command(`route|${method}`);
    return client;
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    const decoder = new FrameDecoder();
    socket.on('data', (chunk: Buffer) => {
      decoder.push(chunk, (payload) => {
        const text = payload.toString('utf8');
        const end = text.indexOf('\r\n');
        this.frames.push({
          tokens: (end === -1 ? text : text.slice(0, end)).split('|'),
          text: end === -1 ? '' : text.slice(end + 2),
        });
      });
      this.#wake();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.closed = true;
      this.#wake();
    });
  }

  #wake(): void {
    for (const wake of this.#waiters) wake();
  }

  sendRaw(bytes: Buffer): void {
    this.#socket.write(bytes);
  }

  async until<T>(what: string, find: () => T | undefined): Promise<T> {
    return withLimit(what, (check) => {
      const wake = (): void => check(find());
      this.#waiters.add(wake);
      wake();
      return () => this.#waiters.delete(wake);
    });
  }

  untilClosed(): Promise<true> {
    return this.until('connection closed', () => (this.closed ? true : undefined));
  }

  /** Sends a command and waits for its reply: the tokens after the command's id. */
  async command(rest: string, text?: string): Promise<Frame> {
    const id = randomUUID();
    this.#socket.write(
      encodeFrame(`${id}|${rest}`, text === undefined ? undefined : Buffer.from(`\r\n${text}`)),
    );
    return this.until(`reply to ${rest}`, () => {
      const frame = this.frames.find((f) => f.tokens[1] === 'response' && f.tokens[2] === id);
      return frame && { tokens: frame.tokens.slice(3), text: frame.text };
    });
  }

  /** The notification of a SIP message whose text starts so. */
  notified(start: string): Promise<Frame> {
    return this.until(`notification of ${start}`, () =>
      this.frames.find((f) => f.tokens[1] === 'sip' && f.text.startsWith(start)),
    );
  }

  count(start: string): number {
    return this.frames.filter((f) => f.tokens[1] === 'sip' && f.text.startsWith(start)).length;
  }

  /** Answers a notified request. */
  respond(request: Frame, status: string, extra = '', body = ''): Promise<Frame> {
    return this.command(
      `sip|${request.tokens[8]}|`,
      `SIP/2.0 ${status}\r\n${extra}Content-Length: 0\r\n\r\n${body}`,
    );
  }

  close(): void {
    this.#socket.destroy();
  }
}
