import type { ChildProcess } from 'node:child_process';
import type { FromChild } from '@earshot/contracts';
import type { Log } from '@earshot/platform';

/** A new one is started so long after one was taken: the replacement has the processor for itself until then. */
const RENEW_AFTER_MS = 2000;

/**
 * A process that has loaded its program and waits to become any instance of its service, so that the place of one that died is taken
 * without waiting for a start. There is one or none; whoever finds none starts a process of its own.
 */
export class Standby {
  readonly #start: () => ChildProcess;
  readonly #log: Log;
  #child: ChildProcess | null = null;
  #ready = false;
  #stopped = false;
  #timer: NodeJS.Timeout | null = null;

  constructor(start: () => ChildProcess, log: Log) {
    this.#start = start;
    this.#log = log;
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
  take(): ChildProcess | null {
    const child = this.#child;
    if (child === null || !this.#ready || child.connected !== true) return null;
    this.#child = null;
    this.#ready = false;
    // Not all: Node's own carry the handles.
    for (const event of ['message', 'error', 'exit']) child.removeAllListeners(event);
    this.renew(RENEW_AFTER_MS);
    return child;
  }

  stop(): void {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#child?.kill('SIGKILL');
  }

  #fork(): void {
    const child = this.#start();
    this.#child = child;
    child.on('message', (message) => {
      if ((message as FromChild).type === 'standing-by') this.#ready = true;
    });
    child.on('error', (error) => this.#log.error({ err: error }, 'the process that stands by has an error'));
    child.once('exit', (code, signal) => {
      this.#child = null;
      this.#ready = false;
      if (this.#stopped) return;
      this.#log.warn({ code, signal }, 'the process that stood by ended: starting another');
      this.renew(RENEW_AFTER_MS);
    });
  }
}
