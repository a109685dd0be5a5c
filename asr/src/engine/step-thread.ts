import { EarshotError } from '@earshot/contracts';
import { Worker } from 'node:worker_threads';
import type { ModelDescription, StepBuffers } from '../models/model.ts';
import { closeGate, type GateState, newGateState } from './native-gate.ts';
import {
  type StepReply,
  type StepRequest,
  type StepThreadData,
  type Stepper,
  shareBuffers,
} from './shared-step.ts';

interface Waiter {
  resolve(seconds: number): void;
  reject(error: Error): void;
}

/** A step takes milliseconds, on a machine that swaps perhaps a second. What takes longer will not end. */
const STEP_LIMIT_MS = 10_000;
/** Host kills what has not ended within 10 s of being told to. */
const END_LIMIT_MS = 8_000;

/** The main thread's end of the worker thread that runs the model. */
export class StepThread implements Stepper {
  readonly buffers: StepBuffers;
  readonly spare: StepBuffers;
  readonly #worker: Worker;
  readonly #gate: GateState;
  /**
   * A worker that is ended inside onnxruntime takes the process with it: what the native call returns to is gone, and it throws where
   * nobody can catch (`terminate called after throwing an instance of 'Napi::Error'`, SIGABRT). Every end of the process passes
   * Node's `exit` event, that of one whose host is gone too; there only a wait that blocks helps.
   */
  readonly #onExit = (): void => void closeGate(this.#gate, this.#hangs ? 0 : END_LIMIT_MS);
  #secondsBySize: ReadonlyMap<number, number> = new Map();
  /** In the order of what was asked for. */
  readonly #waiters: Waiter[] = [];
  /** Until the latest step ended, one way or the other. */
  #running: Promise<void> = Promise.resolve();
  #loaded = false;
  #failure: Error | null = null;
  /** A step did not end: it will not before the process does. */
  #hangs = false;
  /** One timer for all steps: host's pings are answered by the main thread and cannot see that the model hangs. */
  readonly #limit: NodeJS.Timeout = setTimeout(() => this.#overdue(), STEP_LIMIT_MS).unref();

  /**
   * @param maxChannels rows of state @param sizes batch sizes, ascending
   * @throws EarshotError MODEL_INVALID
   */
  static async start(
    description: ModelDescription,
    maxChannels: number,
    sizes: readonly number[],
  ): Promise<StepThread> {
    const most = Math.max(...sizes);
    const [buffers, spare] = [shareBuffers(description, most), shareBuffers(description, most)];
    const gate = newGateState();
    const thread = new StepThread({ description, maxChannels, sizes, buffers, spare, gate });
    try {
      await new Promise<number>((resolve, reject) => thread.#waiters.push({ resolve, reject }));
    } catch (error) {
      await thread.close();
      throw error;
    }
    return thread;
  }

  private constructor(workerData: StepThreadData) {
    this.buffers = workerData.buffers;
    this.spare = workerData.spare;
    this.#gate = workerData.gate;
    process.on('exit', this.#onExit);
    this.#worker = new Worker(new URL('./step-worker.ts', import.meta.url), { workerData });
    this.#worker.on('message', (message: StepReply) => this.#receive(message));
    this.#worker.on('error', (error: Error) => this.#fail(error));
    this.#worker.on('exit', () => {
      process.off('exit', this.#onExit);
      this.#fail(new Error('the model thread ended'));
    });
  }

  /** Seconds of a full step of each batch size, measured at start. */
  get secondsBySize(): ReadonlyMap<number, number> {
    return this.#secondsBySize;
  }

  /**
   * Runs the first `rows` rows of the buffers as a batch of `size`. One more may be asked for while one runs, in the other
   * buffers: the model then goes on without waiting for this thread.
   * @returns the step's seconds @throws when the model fails; the thread is of no use then
   */
  step(rows: number, size: number, buffers: StepBuffers = this.buffers): Promise<number> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    const seconds = new Promise<number>((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
      this.#limit.refresh();
      this.#worker.postMessage({ rows, size, spare: buffers === this.spare } satisfies StepRequest);
    });
    const settled = (): void => undefined;
    this.#running = seconds.then(settled, settled);
    return seconds;
  }

  /** Waits for the steps that run: a thread that is ended inside onnxruntime takes the whole process with it. */
  async close(): Promise<void> {
    await this.#running;
    clearTimeout(this.#limit);
    this.#fail(new Error('the model thread is closed'));
    await this.#worker.terminate();
  }

  #overdue(): void {
    // Loading a model may take longer; a step that was answered has no waiter.
    if (this.#loaded && this.#waiters.length > 0) {
      this.#hangs = true;
      this.#fail(new Error(`a step of the model did not end within ${STEP_LIMIT_MS / 1000} s`));
    }
  }

  #receive(message: StepReply): void {
    if (message.type === 'failed') {
      this.#fail(new EarshotError(message.code, message.message));
      return;
    }
    const waiter = this.#waiters.shift();
    if (message.type === 'ready') {
      this.#loaded = true;
      this.#secondsBySize = message.secondsBySize;
      waiter?.resolve(0);
    } else waiter?.resolve(message.seconds);
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const waiter of this.#waiters.splice(0)) waiter.reject(this.#failure);
  }
}
