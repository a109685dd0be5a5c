import { type ChildProcess, fork } from 'node:child_process';
import type { FromChild, ToChild } from '@earshot/contracts';
import type { Log } from '@earshot/platform';
import type { RawHandle } from '@earshot/platform';
import type { Standby, Waiting } from './standby.ts';
import { isStopped } from './process-state.ts';

/** How one child process is run. */
export interface ProcessSpec {
  /** `media-0`; in logs and metrics. */
  readonly label: string;
  /** Absolute path of main.ts: names the workspace in `ps`. */
  readonly entry: string;
  env(start: number): NodeJS.ProcessEnv;
  readonly maxOldSpaceMb: number;
  /** No answer to pings for so long: killed with SIGKILL and replaced. */
  readonly hungAfterMs: number;
  /** Not ready for so long after its start: likewise. */
  readonly readyWithinMs: number;
  /** Where a process may stand by to take this one's place. */
  readonly standby?: Standby;
  readonly instance: number;
  /** Sent to each new process before `lent.all`. */
  lent(): readonly { readonly message: ToChild; readonly handle: RawHandle }[];
  /** What each new process has to know before it begins; sent before `lent.all`. */
  told?(): readonly ToChild[];
}

export interface SupervisedEvents {
  message(message: FromChild, child: Supervised): void;
  ready(child: Supervised): void;
  exit(child: Supervised): void;
}

const PING_EVERY_MS = 500;
/** A process that a signal stopped (SIGSTOP) does not come back by itself. */
const STOPPED_AFTER_MS = 900;
const STEADY_AFTER_MS = 10_000;
const MAX_BACKOFF_MS = 10_000;

export type StartResult =
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string; readonly action: string };

/** A child that is started again whenever it ends: at once the first time, with growing pauses when it keeps ending. */
export class Supervised {
  readonly spec: ProcessSpec;
  info: Readonly<Record<string, string | number | boolean>> = {};
  ready = false;
  readonly #log: Log;
  readonly #events: SupervisedEvents;
  #child: ChildProcess | null = null;
  #starts = 0;
  #startedAtMs = 0;
  #lastPongMs = 0;
  #lastLookMs = 0;
  #pingId = 0;
  #backoffMs = 0;
  #stopping = false;
  #timer: NodeJS.Timeout | null = null;
  #watch: NodeJS.Timeout | null = null;
  #settleStart: ((result: StartResult) => void) | null = null;

  constructor(spec: ProcessSpec, log: Log, events: SupervisedEvents) {
    this.spec = spec;
    this.#log = log;
    this.#events = events;
  }

  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  /** The first start: resolves when the process said ready, or why it did not. */
  start(): Promise<StartResult> {
    return new Promise((resolve) => {
      this.#settleStart = (result) => {
        this.#settleStart = null;
        // What cannot start the first time would not the second: the person who starts it has to do something.
        if (result.kind === 'failed') this.#stopping = true;
        resolve(result);
      };
      this.#fork();
    });
  }

  send(message: ToChild, handle?: RawHandle): void {
    if (this.#child?.connected !== true) return;
    // The handle types of @types/node do not name raw handles, which `send` takes ('net.Native', 'dgram.Native').
    this.#child.send(message, handle as never, { keepOpen: true }, (error) => {
      if (error !== null) this.#log.debug({ err: error, child: this.spec.label }, 'message not sent');
    });
  }

  /** Asks it to finish; after limitMs it is killed. Resolves when it has gone. */
  async stop(limitMs: number): Promise<void> {
    this.#stopping = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    const child = this.#child;
    if (child === null) return;
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    this.send({ type: 'drain' });
    const killer = setTimeout(() => {
      this.#log.warn({ child: this.spec.label }, 'did not end in time: killed');
      child.kill('SIGKILL');
    }, limitMs);
    await gone;
    clearTimeout(killer);
  }

  kill(): void {
    this.#stopping = true;
    this.#child?.kill('SIGKILL');
  }

  #fork(): void {
    const waiting = this.#take();
    const child = waiting?.child ?? forkOf(this.spec, this.spec.env(this.#starts));
    this.#starts++;
    this.#child = child;
    this.ready = false;
    this.#startedAtMs = performance.now();
    this.#lastLookMs = this.#startedAtMs;
    this.#watch = setInterval(() => this.#look(child), PING_EVERY_MS);
    child.on('message', (message) => this.#receive(child, message as FromChild));
    child.on('error', (error) =>
      this.#log.error({ err: error, child: this.spec.label }, 'child process error'),
    );
    child.once('exit', (code, signal) => this.#exited(child, code, signal));
    for (const { message, handle } of this.spec.lent()) {
      const there = message.type === 'lent' && waiting?.ahead.get(message.port) === handle;
      this.send(message, there ? undefined : handle);
    }
    for (const message of this.spec.told?.() ?? []) this.send(message);
    this.send({ type: 'lent.all' });
  }

  /** A process that stood by, told what it is now. */
  #take(): Waiting | null {
    const waiting = this.spec.standby?.take() ?? null;
    waiting?.child.send({ type: 'become', instance: this.spec.instance } satisfies ToChild);
    return waiting;
  }

  #receive(child: ChildProcess, message: FromChild): void {
    if (child !== this.#child) return;
    if (message.type === 'pong') this.#lastPongMs = performance.now();
    if (message.type === 'fatal') {
      this.#log.error(
        { child: this.spec.label, code: message.code, action: message.action },
        'child cannot go on',
      );
      this.#settleStart?.({
        kind: 'failed',
        code: message.code,
        message: message.message,
        action: message.action,
      });
    }
    if (message.type === 'ready') {
      this.ready = true;
      this.info = message.info;
      this.#lastPongMs = performance.now();
      this.#settleStart?.({ kind: 'ready' });
      this.#events.ready(this);
    }
    this.#events.message(message, this);
  }

  #look(child: ChildProcess): void {
    const now = performance.now();
    // Host itself was held up (a suspended machine, Ctrl-Z): the answers wait unread behind this timer.
    const late = now - this.#lastLookMs > 2 * PING_EVERY_MS;
    this.#lastLookMs = now;
    if (late) {
      this.#lastPongMs = Math.max(this.#lastPongMs, now);
      this.#startedAtMs = this.ready ? this.#startedAtMs : now;
    }
    if (!this.ready && now - this.#startedAtMs > this.spec.readyWithinMs) {
      const text = `${this.spec.label} was not ready within ${this.spec.readyWithinMs / 1000} s`;
      this.#settleStart?.(failed('INTERNAL', text));
      this.#log.error({ child: this.spec.label }, 'child does not become ready: killed');
      child.kill('SIGKILL');
    } else if (this.ready && now - this.#lastPongMs > STOPPED_AFTER_MS && isStopped(child.pid)) {
      this.#log.error({ child: this.spec.label }, 'child was stopped by a signal: killed');
      child.kill('SIGKILL');
    } else if (this.ready && now - this.#lastPongMs > this.spec.hungAfterMs) {
      this.#log.error({ child: this.spec.label }, 'child does not answer: killed');
      child.kill('SIGKILL');
    } else if (this.ready) {
      this.send({ type: 'ping', id: ++this.#pingId });
    }
  }

  #exited(child: ChildProcess, code: number | null, signal: NodeJS.Signals | null): void {
    if (child !== this.#child) return;
    this.#child = null;
    this.ready = false;
    if (this.#watch !== null) clearInterval(this.#watch);
    this.#settleStart?.(failed('INTERNAL', `${this.spec.label} ended with ${signal ?? `code ${code}`}`));
    this.#events.exit(this);
    if (this.#stopping) return;
    const lastedMs = performance.now() - this.#startedAtMs;
    this.#backoffMs =
      lastedMs > STEADY_AFTER_MS ? 0 : Math.min(Math.max(100, this.#backoffMs * 2), MAX_BACKOFF_MS);
    const pauseMs = lastedMs > STEADY_AFTER_MS || this.#starts === 1 ? 0 : this.#backoffMs;
    this.#log.warn({ child: this.spec.label, code, signal, pauseMs }, 'child ended: starting another');
    if (pauseMs === 0) this.#fork();
    else this.#timer = setTimeout(() => this.#fork(), pauseMs);
  }
}

/** Starts a process of a service. */
export const forkOf = (
  { entry, maxOldSpaceMb }: Pick<ProcessSpec, 'entry' | 'maxOldSpaceMb'>,
  env: NodeJS.ProcessEnv,
): ChildProcess =>
  fork(entry, [], {
    env,
    execArgv: [
      '--disable-warning=ExperimentalWarning',
      '--disable-warning=DEP0112',
      `--max-old-space-size=${maxOldSpaceMb}`,
    ],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });

const failed = (code: string, message: string): StartResult => ({
  kind: 'failed',
  code,
  message,
  action: 'Read the log above.',
});
