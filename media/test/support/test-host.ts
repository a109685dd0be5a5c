import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ChannelId, EngineRow, FromChild, LentKind, ToChild } from '@earshot/contracts';
import { bindUdp, portOf, type RawHandle } from '@earshot/platform';
import { until } from './until.ts';

const MAIN = new URL('../../main.ts', import.meta.url).pathname;

interface Lent {
  readonly rtp: RawHandle;
  readonly rtcp: RawHandle;
  readonly rtpPort: number;
  readonly rtcpPort: number;
}

/** A small host: owns UDP sockets, lends them to a media worker process, kills and replaces it. */
export class TestHost {
  readonly folder = mkdtempSync(join(tmpdir(), 'es-'));
  readonly runDir = join(this.folder, 'run');
  readonly dataDir = join(this.folder, 'data');
  readonly lent = new Map<ChannelId, Lent>();
  readonly returned: ChannelId[] = [];
  readonly output: string[] = [];
  engines = 1;
  env: Record<string, string> = {};
  child: ChildProcess | null = null;
  /** lend.failed is answered instead. */
  refuse = false;
  /** Lends wait here while it is not null. */
  heldLends: (() => void)[] | null = null;
  readonly #forked: ChildProcess[] = [];
  /** It is lent what the worker is lent. */
  #ahead: ChildProcess | null = null;
  #pongs = 0;
  #metrics: readonly unknown[] = [];

  constructor() {
    mkdirSync(this.runDir);
    mkdirSync(this.dataDir);
  }

  /** Starts a worker, lending what its predecessor had. Resolves when it is ready. */
  async start(): Promise<void> {
    const child = this.#fork({ EARSHOT_INSTANCE: '0' });
    const ready = this.#serve(child);
    for (const [channel, lent] of this.lent) this.#send(child, channel, lent, null);
    child.send({ type: 'lent.all' } satisfies ToChild);
    await ready;
  }

  /** Starts a process that stands by, and lends it ahead what the worker has and gets. */
  standBy(): ChildProcess {
    const child = this.#fork({ EARSHOT_STANDBY: '1' });
    child.once('message', (message: FromChild) => {
      if (message.type !== 'standing-by') return;
      this.#ahead = child;
      for (const [channel, lent] of this.lent) this.#send(child, channel, lent, null);
    });
    return child;
  }

  get standingBy(): boolean {
    return this.#ahead !== null;
  }

  /** It takes the worker's place: all its sockets are there. Resolves when it is ready. */
  async become(child: ChildProcess): Promise<void> {
    this.#ahead = null;
    const ready = this.#serve(child);
    child.send({ type: 'become', instance: 0 } satisfies ToChild);
    for (const [channel, lent] of this.lent) {
      for (const kind of ['rtp', 'rtcp'] as const) {
        const port = kind === 'rtp' ? lent.rtpPort : lent.rtcpPort;
        child.send({ type: 'lent', kind, port, channel, id: null } satisfies ToChild);
      }
    }
    child.send({ type: 'lent.all' } satisfies ToChild);
    await ready;
  }

  #fork(env: Record<string, string>): ChildProcess {
    const child = fork(MAIN, {
      env: {
        ...process.env,
        // What tests send is marked, not spoken.
        VAD: 'energy',
        EARSHOT_RUN_DIR: this.runDir,
        DATA_DIR: this.dataDir,
        ASR_ENGINES: String(this.engines),
        LOG_LEVEL: 'debug',
        ...env,
        ...this.env,
      },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      execArgv: ['--disable-warning=DEP0112', '--disable-warning=ExperimentalWarning'],
    });
    this.#forked.push(child);
    return child;
  }

  async #serve(child: ChildProcess): Promise<void> {
    this.child = child;
    const keep = (bytes: Buffer): void => void this.output.push(bytes.toString());
    child.stdout?.on('data', keep);
    child.stderr?.on('data', keep);
    let ready = false;
    child.on('message', (message: FromChild) => {
      if (message.type === 'ready') ready = true;
      else if (message.type === 'lend') this.#lend(child, message.id, message.channel);
      else if (message.type === 'return') this.#takeBack(message.channel);
      else if (message.type === 'pong') {
        this.#metrics = message.metrics;
        this.#pongs++;
      }
    });
    await until(() => ready || child.exitCode !== null, 'worker ready', 30_000);
    if (!ready) throw new Error(`worker did not start: ${this.output.join('')}`);
  }

  /** SIGKILL, and the wait for the process to be gone. */
  async kill(): Promise<void> {
    const child = this.child;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await until(() => child.signalCode !== null || child.exitCode !== null, 'worker gone');
  }

  async drain(): Promise<number | null> {
    const child = this.child!;
    child.send({ type: 'drain' } satisfies ToChild);
    await until(() => child.exitCode !== null || child.signalCode !== null, 'worker drained');
    return child.exitCode;
  }

  table(engines: readonly EngineRow[]): void {
    this.child?.send({ type: 'engines', engines } satisfies ToChild);
  }

  /** The value of a metric, with its labels if it has some. */
  async metric(name: string, labels: Record<string, string> = {}): Promise<number> {
    const before = this.#pongs;
    this.child?.send({ type: 'ping', id: before } satisfies ToChild);
    await until(() => this.#pongs > before, 'pong');
    type Metric = { name: string; values: { value: number; labels: Record<string, string> }[] };
    const metric = (this.#metrics as Metric[]).find((each) => each.name === name);
    const values = metric?.values.filter((each) =>
      Object.entries(labels).every(([key, value]) => each.labels[key] === value),
    );
    return (values ?? []).reduce((sum, each) => sum + each.value, 0);
  }

  portOf(channel: ChannelId): number {
    return this.lent.get(channel)!.rtpPort;
  }

  async stop(): Promise<void> {
    await this.kill();
    for (const child of this.#forked) child.kill('SIGKILL');
    for (const lent of this.lent.values()) {
      lent.rtp.close();
      lent.rtcp.close();
    }
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Answers the lends that were held back. */
  release(): void {
    const held = this.heldLends ?? [];
    this.heldLends = null;
    for (const lend of held) lend();
  }

  #lend(child: ChildProcess, id: number, channel: ChannelId): void {
    if (this.heldLends !== null) {
      this.heldLends.push(() => this.#lend(child, id, channel));
      return;
    }
    if (this.refuse) {
      const message = 'no port is free';
      child.send({ type: 'lend.failed', id, code: 'RTP_PORTS_EXHAUSTED', message } satisfies ToChild);
      return;
    }
    const [rtp, rtcp] = [bind(), bind()];
    const lent = { rtp, rtcp, rtpPort: portOf(rtp), rtcpPort: portOf(rtcp) };
    this.lent.set(channel, lent);
    this.#send(child, channel, lent, id);
    if (this.#ahead !== null) this.#send(this.#ahead, channel, lent, null);
  }

  #send(child: ChildProcess, channel: ChannelId, lent: Lent, id: number | null): void {
    const send = (kind: LentKind, port: number, handle: RawHandle): void => {
      const message: ToChild = { type: 'lent', kind, port, channel, id };
      // It waits its turn, and may have been closed by then.
      child.send(message, handle as never, { keepOpen: true }, (error) => {
        if (error !== null) this.output.push(`${error.message}\n`);
      });
    };
    send('rtp', lent.rtpPort, lent.rtp);
    send('rtcp', lent.rtcpPort, lent.rtcp);
  }

  #takeBack(channel: ChannelId): void {
    const lent = this.lent.get(channel);
    this.lent.delete(channel);
    this.returned.push(channel);
    for (const port of lent === undefined ? [] : [lent.rtpPort, lent.rtcpPort]) {
      this.#ahead?.send({ type: 'lent.back', port } satisfies ToChild);
    }
    lent?.rtp.close();
    lent?.rtcp.close();
  }
}

const bind = (): RawHandle => bindUdp('127.0.0.1', 0);
