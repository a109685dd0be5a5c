import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import {
  channelIdOf,
  type ChannelId,
  type ChannelTotals,
  type FromChild,
  type FromMedia,
  type Leg,
  legIdOf,
  type LentKind,
  monoUs,
  newCallId,
  sockets,
  type ToChild,
  type ToMedia,
} from '@earshot/contracts';
import { bindUdp, Dialer, portOf, type RawHandle } from '../../../platform/src/index.ts';
import { Sink } from './sink.ts';

const MAIN = fileURLToPath(new URL('../../../media/main.ts', import.meta.url));
const LOOP_DELAY = new URL('./loop-delay.ts', import.meta.url).href;
const LIMIT_MS = 30_000;
const CHANNELS_OF_A_LEG = 2;

interface Worker {
  readonly child: ChildProcess;
  readonly dialer: Dialer<FromMedia, ToMedia>;
  readonly loopDelay: string;
  readonly legs: Leg[];
}

/** Media workers as Earshot runs them, under a host of few lines: it lends them sockets and orders legs. */
export class MediaWorkers {
  readonly sink: Sink;
  readonly #folder: string;
  readonly #workers: Worker[] = [];
  readonly #handles = new Map<number, RawHandle>();
  readonly #answers = new Map<number, (message: FromMedia) => void>();
  #nextId = 1;

  private constructor(folder: string, sink: Sink) {
    this.#folder = folder;
    this.sink = sink;
  }

  /** @param env RTP_READER=dgram for the reader without the native part */
  static async start(folder: string, count: number, env: Record<string, string>): Promise<MediaWorkers> {
    await mkdir(join(folder, 'run'), { recursive: true });
    await mkdir(join(folder, 'data'), { recursive: true });
    const workers = new MediaWorkers(folder, await Sink.start(join(folder, 'run')));
    for (let instance = 0; instance < count; instance++) await workers.#startOne(instance, count, env);
    return workers;
  }

  get pids(): number[] {
    return this.#workers.map(({ child }) => child.pid!);
  }

  /** Opens channels, two a leg, the legs on the workers in turns. @returns their RTP ports */
  async open(streams: number): Promise<number[]> {
    const ports: number[] = [];
    for (let first = 0, n = 0; first < streams; first += CHANNELS_OF_A_LEG, n++) {
      const worker = this.#workers[n % this.#workers.length]!;
      const leg = newLeg(Math.min(CHANNELS_OF_A_LEG, streams - first));
      worker.legs.push(leg);
      const opened = await this.#ask(worker, { type: 'leg.open', leg });
      if (opened.type !== 'leg.opened') throw new Error(`leg not opened: ${JSON.stringify(opened)}`);
      ports.push(...opened.ports.map(({ rtpPort }) => rtpPort));
    }
    return ports;
  }

  /** Closes all legs. @returns what each channel received */
  async close(): Promise<ChannelTotals[]> {
    const totals: ChannelTotals[] = [];
    for (const worker of this.#workers) {
      for (const { legId } of worker.legs) {
        const closed = await this.#ask(worker, { type: 'leg.close', legId });
        if (closed.type !== 'leg.closed') throw new Error(`leg not closed: ${JSON.stringify(closed)}`);
        totals.push(...closed.channels);
      }
    }
    return totals;
  }

  /** How late each worker's event loop was, each 10 ms since the last call, milliseconds. */
  async takeLoopDelays(): Promise<number[]> {
    const delays: number[] = [];
    for (const { child, loopDelay } of this.#workers) {
      await rm(loopDelay, { force: true });
      child.kill('SIGUSR2');
      delays.push(...(await written(loopDelay)));
    }
    return delays;
  }

  async stop(): Promise<void> {
    for (const { child, dialer } of this.#workers) {
      dialer.close();
      const gone = once(child, 'exit');
      child.send({ type: 'drain' } satisfies ToChild);
      const limit = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
      await gone;
      clearTimeout(limit);
    }
    for (const handle of this.#handles.values()) handle.close();
    await this.sink.stop();
  }

  async #startOne(instance: number, count: number, env: Record<string, string>): Promise<void> {
    const loopDelay = join(this.#folder, `loop-${instance}.json`);
    const child = fork(MAIN, {
      env: {
        ...process.env,
        EARSHOT_RUN_DIR: join(this.#folder, 'run'),
        EARSHOT_INSTANCE: String(instance),
        EARSHOT_BENCH_LOOP_DELAY: loopDelay,
        DATA_DIR: join(this.#folder, 'data'),
        MEDIA_WORKERS: String(count),
        ASR_ENGINES: '1',
        LOG_LEVEL: 'warn',
        ...env,
      },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      execArgv: [
        '--disable-warning=DEP0112',
        '--disable-warning=ExperimentalWarning',
        '--import',
        LOOP_DELAY,
      ],
    });
    const ready = new Promise<void>((resolve, reject) => {
      child.once('exit', (code) => reject(new Error(`a media worker ended with ${code}`)));
      child.on('message', (message: FromChild) => {
        if (message.type === 'ready') resolve();
        else if (message.type === 'lend') this.#lend(child, message.id, message.channel);
      });
    });
    child.send({ type: 'lent.all' } satisfies ToChild);
    await ready;
    const dialer = await new Promise<Dialer<FromMedia, ToMedia>>((resolve) => {
      const dialled: Dialer<FromMedia, ToMedia> = new Dialer(
        join(this.#folder, 'run', sockets.control(instance)),
        {
          open: () => resolve(dialled),
          message: (message) => {
            if ('id' in message) this.#answers.get(message.id)?.(message);
          },
          lost: () => undefined,
        },
      );
    });
    this.#workers.push({ child, dialer, loopDelay, legs: [] });
  }

  #lend(child: ChildProcess, id: number, channel: ChannelId): void {
    for (const kind of ['rtp', 'rtcp'] satisfies LentKind[]) {
      const handle = bindUdp('127.0.0.1', 0);
      const port = portOf(handle);
      this.#handles.set(port, handle);
      const message: ToChild = { type: 'lent', kind, port, channel, id };
      child.send(message, handle as never, { keepOpen: true });
    }
  }

  #ask(worker: Worker, message: Order): Promise<FromMedia> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const limit = setTimeout(
        () => reject(new Error(`no answer to ${message.type} in ${LIMIT_MS} ms`)),
        LIMIT_MS,
      );
      this.#answers.set(id, (answer) => {
        clearTimeout(limit);
        this.#answers.delete(id);
        resolve(answer);
      });
      worker.dialer.send({ ...message, id });
    });
  }
}

type Order = ToMedia extends infer M ? (M extends { id: number } ? Omit<M, 'id'> : never) : never;

function newLeg(channels: number): Leg {
  const callId = newCallId(Date.now(), randomBytes(10));
  return {
    callId,
    legId: legIdOf(callId, 0),
    zero: { wallMs: Date.now(), monoUs: monoUs() },
    channels: Array.from({ length: channels }, (_, index) => ({
      channel: channelIdOf(callId, index),
      codecs: [{ payloadType: 0, name: 'PCMU' }],
      state: 'active',
      remote: null,
    })),
    rtpTimeoutS: 60,
    record: true,
  };
}

/** What is in the file, once it is whole. */
async function written(path: string): Promise<number[]> {
  const limit = performance.now() + LIMIT_MS;
  for (;;) {
    const text = await readFile(path, 'utf8').catch(() => '');
    if (text.endsWith(']')) return JSON.parse(text) as number[];
    if (performance.now() > limit) throw new Error('a media worker did not say how late it was');
    await pause(20);
  }
}
