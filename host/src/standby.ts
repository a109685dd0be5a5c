import type { ChildProcess } from 'node:child_process';
import type { FromChild, ToChild } from '@earshot/contracts';
import type { Log } from '@earshot/platform';
import type { Loan } from './lender.ts';
import { isStopped } from './process-state.ts';
import type { RawHandle } from '@earshot/platform';

/** A new one is started so long after one was taken: the replacement has the processor for itself until then. */
const RENEW_AFTER_MS = 2000;

/** A process that a signal stopped cannot take anybody's place. */
const LOOK_EVERY_MS = 5000;

/** One that has not loaded its program by then never will, however busy the machine is. */
const START_LIMIT_MS = 120_000;

/** A process that waits to be told what to become. */
export interface Waiting {
  readonly child: ChildProcess;
  /** The sockets that it has already, by port. */
  readonly ahead: ReadonlyMap<number, RawHandle>;
}

/**
 * A process that has loaded its program and waits to become any instance of its service, so that the place of one that died is taken
 * without waiting for a start. It is lent what all instances are lent, as they are, and reads none of it. There is one or none;
 * whoever finds none starts a process of its own.
 */
export class Standby {
  readonly #start: () => ChildProcess;
  readonly #log: Log;
  readonly #loans: () => readonly Loan[];
  #ahead = new Map<number, RawHandle>();
  #child: ChildProcess | null = null;
  #ready = false;
  #stopped = false;
  #timer: NodeJS.Timeout | null = null;
  #watch: NodeJS.Timeout | null = null;

  /** @param loans what all instances have at the moment */
  constructor(start: () => ChildProcess, log: Log, loans: () => readonly Loan[] = () => []) {
    this.#start = start;
    this.#log = log;
    this.#loans = loans;
  }

  get pid(): number | null {
    return this.#child?.pid ?? null;
  }
  get ready(): boolean {
    return this.#ready;
  }

  renew(afterMs = 0): void {
    if (this.#stopped || this.#timer !== null || this.#child !== null) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#fork();
    }, afterMs);
  }

  /** @returns a process that waits to be told what to become, or null */
  take(): Waiting | null {
    const child = this.#child;
    if (child === null || !this.#ready || child.connected !== true) return null;
    if (isStopped(child.pid)) {
      child.kill('SIGKILL');
      return null;
    }
    const ahead = this.#ahead;
    this.#forget();
    // Not all: Node's own carry the handles.
    for (const event of ['message', 'error', 'exit']) child.removeAllListeners(event);
    this.renew(RENEW_AFTER_MS);
    return { child, ahead };
  }

  /** An instance was lent a socket. */
  lend({ message, handle }: Loan): void {
    if (!this.#ready || message.type !== 'lent') return;
    this.#ahead.set(message.port, handle);
    this.#send({ ...message, id: null }, handle);
  }

  /** An instance gives a socket back, which is about to be closed. */
  giveBack(port: number): void {
    if (this.#ahead.delete(port)) this.#send({ type: 'lent.back', port });
  }

  stop(): void {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#watch !== null) clearInterval(this.#watch);
    this.#child?.kill('SIGKILL');
  }

  #fork(): void {
    const child = this.#start();
    this.#child = child;
    const startedMs = performance.now();
    this.#watch = setInterval(() => {
      const hangs = !this.#ready && performance.now() - startedMs > START_LIMIT_MS;
      if (hangs || isStopped(child.pid)) child.kill('SIGKILL');
    }, LOOK_EVERY_MS);
    child.on('message', (message) => {
      if ((message as FromChild).type !== 'standing-by') return;
      this.#ready = true;
      for (const loan of this.#loans()) this.lend(loan);
    });
    child.on('error', (error) => {
      this.#log.error({ err: error }, 'the process that stands by has an error');
      // One that could not be started has no exit.
      if (child.pid !== undefined || child !== this.#child) return;
      this.#forget();
      this.renew(RENEW_AFTER_MS);
    });
    child.once('exit', (code, signal) => {
      this.#forget();
      if (this.#stopped) return;
      this.#log.warn({ code, signal }, 'the process that stood by ended: starting another');
      this.renew(RENEW_AFTER_MS);
    });
  }

  #forget(): void {
    if (this.#watch !== null) clearInterval(this.#watch);
    this.#child = null;
    this.#ready = false;
    this.#ahead = new Map();
  }

  #send(message: ToChild, handle?: RawHandle): void {
    this.#child?.send(message, handle as never, { keepOpen: true }, (error) => {
      if (error !== null) this.#log.debug({ err: error }, 'message to the process that stands by not sent');
    });
  }
}
