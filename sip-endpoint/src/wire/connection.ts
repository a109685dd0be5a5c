import { createHash, timingSafeEqual } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Log } from '../log.ts';
import { parseCommand, type AppCommand } from './command.ts';
import { FRAME_LIMITS, FrameDecoder } from './frame.ts';
import { replyFrame } from './leader.ts';

/** An authenticated application, as the core sees it. */
export interface AppLink {
  readonly open: boolean;
  /** True when the application asked for requests of this method (upper case). */
  routes(method: string): boolean;
  send(frame: Buffer): void;
}

export type SipCommand = Extract<AppCommand, { verb: 'sip' }>;

export interface ConnectionUser {
  authenticated(link: AppConnection): void;
  /** The link routes another method now. */
  routed(link: AppConnection): void;
  sip(link: AppConnection, command: SipCommand): void;
  closed(link: AppConnection): void;
}

export interface ConnectionSettings {
  readonly secret: string;
  /** Tokens after OK: host ports, version, local host ports. */
  readonly greeting: () => readonly string[];
  readonly log: Log;
}

/** Before authentication nothing but a short frame within this time. */
const GREETING_BYTES = 4096;
const GREETING_MS = 10_000;
/** Frames waiting for an application that does not read; beyond it the connection is given up. */
const QUEUED_BYTES = 64 * 1024 * 1024;
const KEEP_ALIVE_MS = 45_000;

const digest = (text: string): Buffer => createHash('sha256').update(text, 'latin1').digest();

/** One application's connection: framing, authentication, routes, ping. */
export class AppConnection implements AppLink {
  readonly #socket: Socket;
  readonly #user: ConnectionUser;
  readonly #settings: ConnectionSettings;
  readonly #decoder = new FrameDecoder({ payloadBytes: GREETING_BYTES });
  readonly #routes = new Set<string>();
  #authenticated = false;

  constructor(socket: Socket, settings: ConnectionSettings, user: ConnectionUser) {
    this.#socket = socket;
    this.#settings = settings;
    this.#user = user;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    const tooLate = setTimeout(() => socket.destroy(), GREETING_MS);
    tooLate.unref();
    socket.on('error', (error) => settings.log.debug({ err: error }, 'application connection error'));
    socket.on('close', () => {
      clearTimeout(tooLate);
      if (this.#authenticated) user.closed(this);
    });
    socket.on('data', (chunk: Buffer) => {
      this.#decoder.push(chunk, (payload) => {
        if (!this.open) return;
        this.#take(parseCommand(payload));
        if (this.#authenticated) clearTimeout(tooLate);
      });
      if (this.#decoder.broken && !socket.destroyed) {
        settings.log.warn({}, 'application sent a malformed frame; connection closed');
        socket.destroy();
      }
    });
  }

  get open(): boolean {
    return !this.#socket.destroyed && this.#socket.writable;
  }

  routes(method: string): boolean {
    return this.#routes.has(method.toLowerCase());
  }

  send(frame: Buffer): void {
    if (!this.open) return;
    this.#socket.write(frame);
    if (this.#socket.writableLength > QUEUED_BYTES) {
      this.#settings.log.error({}, 'application does not read; connection closed');
      this.#socket.destroy();
    }
  }

  #refuse(id: string, reason: string): void {
    this.#settings.log.warn({ reason }, 'application refused');
    this.#socket.end(replyFrame(id, 'NO', reason));
  }

  #take(command: AppCommand): void {
    if (command.verb === 'authenticate') return this.#authenticate(command.id, command.secret);
    if (!this.#authenticated) return this.#refuse(command.id, 'not authenticated');
    switch (command.verb) {
      case 'route':
        this.#routes.add(command.method);
        this.send(replyFrame(command.id, 'OK'));
        return this.#user.routed(this);
      case 'remove_route':
        this.#routes.delete(command.method);
        return this.send(replyFrame(command.id, 'OK'));
      case 'ping':
        return this.send(replyFrame(command.id, 'OK', 'pong'));
      case 'sip':
        return this.#user.sip(this, command);
      case 'proxy':
        return this.send(replyFrame(command.id, 'NOK', 'Server error: proxy is not supported'));
      case 'unknown':
        return this.#refuse(command.id, 'Unknown message type');
    }
  }

  #authenticate(id: string, secret: string): void {
    // Digests have one length, so that the comparison's time says nothing of the secret.
    if (!timingSafeEqual(digest(secret), digest(Buffer.from(this.#settings.secret).toString('latin1'))))
      return this.#refuse(id, 'incorrect secret');
    this.send(replyFrame(id, 'OK', ...this.#settings.greeting()));
    if (this.#authenticated) return;
    this.#authenticated = true;
    this.#decoder.setLimit(FRAME_LIMITS.payloadBytes);
    this.#user.authenticated(this);
  }

  close(): void {
    this.#socket.destroy();
  }
}
