import { WebSocket } from 'ws';
import type { RefusalReason, RemoteCodec, RemoteEvent } from './protocol.ts';

/** Why a connection ended, for the log and the gate. */
export interface SessionFailure {
  readonly reason: RefusalReason;
  /** A short tag: an error's code, an HTTP status, a close code, `stalled`. Never what the server wrote. */
  readonly detail: string;
}

export interface SessionHandlers {
  event(event: RemoteEvent): void;
  /** Called once, for every end but that by close(). */
  failed(failure: SessionFailure): void;
}

export interface SessionOptions {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly codec: RemoteCodec;
  readonly handlers: SessionHandlers;
  /** Audio was sent, or the end, and nothing came back for so long: it is stalled. */
  readonly stallAfterMs: number;
  /** Monotonic ms. */
  readonly nowMs: () => number;
}

/** A server's message beyond this is not one of the protocol. */
const MAX_MESSAGE_BYTES = 1024 * 1024;
const HANDSHAKE_LIMIT_MS = 15_000;
/** A vocabulary may take a server 15 s to take in (Speechmatics, additional_vocab). */
const READY_LIMIT_MS = 30_000;
const PING_EVERY_MS = 30_000;

/** One stream on one WebSocket. What the server says becomes events; whatever goes wrong becomes one failure. */
export class Session {
  readonly #socket: WebSocket;
  readonly #codec: RemoteCodec;
  readonly #handlers: SessionHandlers;
  readonly #nowMs: () => number;
  readonly #stallAfterMs: number;
  readonly openedMs: number;
  #ready = false;
  #over = false;
  #finishing = false;
  #sentSamples = 0;
  #takenSamples = 0;
  /** When the server last owed us nothing, or said something. */
  #heardMs: number;
  #pingedMs: number;
  #pongMissing = false;
  #takenMs: number;

  constructor(options: SessionOptions) {
    this.#codec = options.codec;
    this.#handlers = options.handlers;
    this.#nowMs = options.nowMs;
    this.#stallAfterMs = options.stallAfterMs;
    this.openedMs = options.nowMs();
    this.#heardMs = this.openedMs;
    this.#pingedMs = this.openedMs;
    this.#takenMs = this.openedMs;
    const socket = new WebSocket(options.url, {
      headers: options.headers,
      maxPayload: MAX_MESSAGE_BYTES,
      handshakeTimeout: HANDSHAKE_LIMIT_MS,
      perMessageDeflate: false,
      followRedirects: false,
    });
    this.#socket = socket;
    socket.on('open', () => this.#opened());
    socket.on('message', (data) => this.#received(data));
    socket.on('pong', () => (this.#pongMissing = false));
    socket.on('unexpected-response', (request, response) => {
      request.destroy();
      this.#fail(reasonOfStatus(response.statusCode ?? 0), `http ${response.statusCode}`);
    });
    socket.on('error', (error) => this.#fail('link', (error as NodeJS.ErrnoException).code ?? 'error'));
    socket.on('close', (code) => this.#fail(reasonOfClose(code), `closed ${code}`));
  }

  /** Audio may be sent. */
  get ready(): boolean {
    return this.#ready && !this.#over && !this.#finishing;
  }

  /** Neither ready nor over. */
  get opening(): boolean {
    return !this.#ready && !this.#over;
  }

  get finishing(): boolean {
    return this.#finishing;
  }

  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  get sentSamples(): number {
    return this.#sentSamples;
  }

  get takenSamples(): number {
    return this.#takenSamples;
  }

  /** When the server last took something. */
  get takenMs(): number {
    return this.#takenMs;
  }

  /** @param bytes s16le, not changed afterwards */
  audio(bytes: Uint8Array): void {
    if (!this.ready) return;
    if (this.#sentSamples === this.#takenSamples) this.#heardMs = this.#nowMs();
    const samples = bytes.length >> 1;
    this.#sentSamples += samples;
    this.#codec.sent(samples);
    this.#socket.send(bytes, { binary: true });
  }

  /** No more audio: the server is to say its last words. */
  finish(): void {
    if (!this.ready) return;
    this.#finishing = true;
    this.#heardMs = this.#nowMs();
    this.#socket.send(this.#codec.finish());
  }

  /** Ends it without a word to the handlers. */
  close(): void {
    if (this.#over) return;
    // An end in the protocol's words first: a server whose peer just leaves reports it as a fault (asr_server.py).
    if (this.ready) this.#socket.send(this.#codec.finish());
    this.#over = true;
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.close(1000);
    else this.#socket.terminate();
    // A server that does not answer the close keeps a socket for 30 s (ws); it keeps no channel.
  }

  /** Fails with this reason, unless it is over. */
  abort(detail: string): void {
    this.#fail('link', detail);
  }

  /** To be called a few times a second: what takes too long is a failure. */
  watch(): void {
    if (this.#over) return;
    const nowMs = this.#nowMs();
    if (!this.#ready) {
      if (nowMs - this.openedMs > READY_LIMIT_MS) this.abort('not ready');
      return;
    }
    const owed = this.#finishing || this.#takenSamples < this.#sentSamples;
    if (owed && nowMs - this.#heardMs > this.#stallAfterMs) {
      this.abort('stalled');
    } else if (nowMs - this.#pingedMs > PING_EVERY_MS) {
      // Keeps the session (Speechmatics ends one without audio or pings after 3 minutes) and finds a dead peer.
      if (this.#pongMissing) {
        this.abort('no pong');
        return;
      }
      this.#pongMissing = true;
      this.#pingedMs = nowMs;
      this.#socket.ping();
    }
  }

  #opened(): void {
    if (this.#over) return;
    this.#socket.send(this.#codec.opening);
    if (this.#codec.readyAtOpen) this.#becomeReady();
  }

  #becomeReady(): void {
    this.#ready = true;
    this.#handlers.event({ kind: 'ready' });
  }

  #received(data: WebSocket.RawData): void {
    for (const event of this.#codec.receive(textOf(data))) {
      if (this.#over) return;
      this.#apply(event);
    }
  }

  #apply(event: RemoteEvent): void {
    switch (event.kind) {
      case 'ready':
        if (!this.#ready) this.#becomeReady();
        return;
      case 'refused':
        this.#fail(event.reason, event.type);
        return;
      case 'ignored':
        this.#handlers.event(event);
        return;
      case 'taken':
        this.#takenSamples = event.uptoSample;
        this.#takenMs = this.#nowMs();
        break;
      case 'finished':
        // Not asked for, it is the server that ends the stream.
        if (!this.#finishing) {
          this.#fail('link', 'ended by server');
          return;
        }
        this.close();
        break;
      case 'partial':
      case 'final':
      case 'utterance':
        break;
    }
    this.#heardMs = this.#nowMs();
    this.#handlers.event(event);
  }

  #fail(reason: RefusalReason, detail: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#socket.terminate();
    this.#handlers.failed({ reason, detail });
  }
}

function textOf(data: WebSocket.RawData): string {
  if (Buffer.isBuffer(data)) return data.toString('utf8');
  return Array.isArray(data) ? Buffer.concat(data).toString('utf8') : Buffer.from(data).toString('utf8');
}

function reasonOfStatus(status: number): RefusalReason {
  if (status === 401 || status === 403) return 'key';
  if (status === 429 || status === 503) return 'full';
  return status >= 400 && status < 500 ? 'settings' : 'link';
}

/** Close codes of Speechmatics: not_authorised, invalid_model, quota_exceeded, timelimit_exceeded, job_error. */
const CLOSE_REASONS: Readonly<Record<number, RefusalReason>> = {
  4001: 'key',
  4004: 'settings',
  4005: 'full',
  4006: 'full',
  4013: 'full',
};

const reasonOfClose = (code: number): RefusalReason => CLOSE_REASONS[code] ?? 'link';
