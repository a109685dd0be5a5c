import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import {
  EarshotError,
  type EngineRow,
  type ErrorCode,
  type FromChild,
  type ProcessMetrics,
  type ToChild,
} from '@earshot/contracts';
import { type Config, type Log, migrate } from '@earshot/platform';
import { claimDataDir, ensureApiKey } from './data-dir.ts';
import { lendingSelfTest } from './lending-self-test.ts';
import { EngineFleet, type Model } from './engine-fleet.ts';
import { Lender } from './lender.ts';
import { checkModel } from './model-check.ts';
import { ModelKeeper } from './model-keeper.ts';
import { type Postgres, startPostgres } from './postgres.ts';
import { PortCursor } from './port-cursor.ts';
import { checkRtpPlace } from './rtp-place.ts';
import { RtpPorts } from './rtp-ports.ts';
import { SipSockets } from './sip-sockets.ts';
import { type ServiceName, specOf, standbyOf, STOP_ORDER, TIERS } from './specs.ts';
import type { Standby } from './standby.ts';
import { type StartResult, Supervised } from './supervised.ts';

const ENGINE_TABLE_EVERY_MS = 1000;
const STOP_LIMIT_MS = 10_000;
/** Those who have to know whether new calls are taken. */
const TOLD_OF_ADMISSION: ReadonlySet<ServiceName> = new Set(['gateway', 'dashboard-api']);

export interface Ready {
  readonly url: string;
  readonly signInToken: string;
  readonly sip: string;
  readonly apiKeyAt: string;
}

/** One machine's processes: start order, supervision, lent sockets, the embedded database, the order of stopping. */
export class Host {
  readonly #config: Config;
  readonly #log: Log;
  readonly #step: (text: string) => void;
  readonly #children = new Map<ServiceName, readonly Supervised[]>();
  readonly #metrics = new Map<string, ProcessMetrics>();
  readonly #engines = new Map<number, EngineRow>();
  readonly #portCursor: PortCursor;
  readonly #lender: Lender;
  #keeper: ModelKeeper | null = null;
  #fleet: EngineFleet | null = null;
  readonly #signInToken = randomBytes(24).toString('base64url');
  #postgres: Postgres | null = null;
  #sip: SipSockets | null = null;
  #releaseDataDir: (() => Promise<void>) | null = null;
  #runDir = '';
  #mediaStandby: Standby | null = null;
  #engineTimer: NodeJS.Timeout | null = null;
  /** New calls are taken; not while the node drains. */
  #admitting = true;
  #stopping = false;

  /** @param step told in a few words what is being done, for the person who waits */
  constructor(config: Config, log: Log, step: (text: string) => void) {
    this.#config = config;
    this.#log = log;
    this.#step = step;
    const ports = new RtpPorts(config.rtpBind, config.rtpPortMin, config.rtpPortMax);
    this.#portCursor = new PortCursor(config.dataDir, ports, log);
    this.#lender = new Lender(ports, log);
  }

  /** @throws EarshotError that says what is wrong and what to do */
  async start(): Promise<Ready> {
    const config = this.#config;
    this.#releaseDataDir = await claimDataDir(config.dataDir);
    await ensureApiKey(config.dataDir, config.apiKey);
    await this.#portCursor.begin();
    this.#runDir = await mkdtemp(join(tmpdir(), 'earshot-'));
    if (config.drachtio.host === null)
      this.#sip = await SipSockets.bind(config.sipBind, config.sipPort, config.sips?.port ?? null);
    checkRtpPlace(config.rtpBind, config.rtpPortMin, config.rtpPortMax);
    const [databaseUrl] = await Promise.all([this.#database(), lendingSelfTest()]);
    const env = this.#childEnv(databaseUrl);
    const keeper = this.#modelKeeper(env);
    this.#keeper = keeper;
    for (const tier of TIERS) {
      if (this.#stopping) throw new EarshotError('NOT_READY', 'stopped while it was starting');
      const names = tier.filter((name) => name !== 'sip-endpoint' || this.#sip !== null);
      this.#step(`Starting ${names.join(', ')}`);
      await this.#allReady(
        names.flatMap((name) => (name === 'asr' ? keeper.start() : this.#startService(name, env))),
      );
    }
    keeper.watch();
    this.#mediaStandby?.renew();
    this.#engineTimer = setInterval(() => this.#tellEngines(), ENGINE_TABLE_EVERY_MS);
    return {
      url: config.publicUrl ?? String(this.#children.get('dashboard-api')?.[0]?.info['url'] ?? ''),
      signInToken: this.#signInToken,
      sip: this.#sip?.address ?? `by drachtio-server at ${config.drachtio.host}:${config.drachtio.port}`,
      apiKeyAt: config.apiKey === null ? join(config.dataDir, 'api-key') : 'the environment (API_KEY)',
    };
  }

  /** Takes new calls, or refuses them (503) while live ones go on to their end. It is not kept over a restart of host. */
  setAdmission(open: boolean): void {
    if (open === this.#admitting) return;
    this.#admitting = open;
    this.#log.warn(open ? 'new calls are taken again' : 'draining: new calls are refused, live ones go on');
    for (const name of TOLD_OF_ADMISSION) {
      for (const child of this.#children.get(name) ?? []) child.send({ type: 'admission', open });
    }
  }

  /** In order: no new calls, live ones ended, words settled, jobs put away, the database last. */
  async stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    if (this.#engineTimer !== null) clearInterval(this.#engineTimer);
    // Before the engines are ended: a swap that is under way would start another.
    this.#fleet?.close();
    this.#mediaStandby?.stop();
    await this.#keeper?.stop();
    for (const name of STOP_ORDER) {
      await Promise.all((this.#children.get(name) ?? []).map((child) => child.stop(STOP_LIMIT_MS)));
    }
    this.#sip?.close();
    await this.#postgres?.stop();
    await this.#portCursor.end();
    if (this.#runDir !== '') await rm(this.#runDir, { recursive: true, force: true });
    await this.#releaseDataDir?.();
  }

  /** The second Ctrl-C: everything ends now. The database recovers by its log at the next start. */
  killAll(): void {
    this.#mediaStandby?.stop();
    for (const children of this.#children.values()) for (const child of children) child.kill();
    if (this.#postgres !== null) process.kill(this.#postgres.pid, 'SIGQUIT');
  }

  /** Fails with the first that fails, and does not wait for the others. */
  async #allReady(starts: readonly Promise<StartResult>[]): Promise<void> {
    await Promise.all(
      starts.map(async (start) => {
        const result = await start;
        if (result.kind === 'failed') throw new StartFailure(result);
      }),
    );
  }

  async #database(): Promise<string> {
    const { databaseUrl, dataDir } = this.#config;
    let url = databaseUrl;
    if (url === null) {
      this.#step('Starting PostgreSQL');
      const postgres = await startPostgres({ dataDir: resolve(dataDir), onStep: this.#step });
      this.#postgres = postgres;
      if (this.#stopping) await postgres.stop();
      postgres.onExit(() => void this.#restartDatabase(postgres));
      url = postgres.url;
    }
    await migrate(url, this.#log);
    return url;
  }

  async #restartDatabase(postgres: Postgres): Promise<void> {
    this.#log.error('PostgreSQL ended: starting it again');
    for (let pauseMs = 200; !this.#stopping; pauseMs = Math.min(pauseMs * 2, 10_000)) {
      try {
        await postgres.restart();
        this.#log.info('PostgreSQL is back');
        return;
      } catch (error) {
        this.#log.error({ err: error, pauseMs }, 'PostgreSQL did not start');
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
    }
  }

  #childEnv(databaseUrl: string): NodeJS.ProcessEnv {
    const env: NodeJS.ProcessEnv = {
      ...process.env,
      EARSHOT_RUN_DIR: this.#runDir,
      DATABASE_URL: databaseUrl,
      DATA_DIR: resolve(this.#config.dataDir),
      MEDIA_WORKERS: String(this.#config.mediaWorkers),
      ASR_ENGINES: String(this.#config.asrEngines),
      ASR_STANDBY: String(this.#config.asrStandby),
    };
    if (this.#sip !== null) {
      env['DRACHTIO_HOST'] = '127.0.0.1';
      env['DRACHTIO_PORT'] = String(this.#sip.drachtioPort);
      env['DRACHTIO_SECRET'] = this.#sip.secret;
      env['SIP_PORT'] = String(this.#sip.port);
      if (this.#sip.tlsPort !== null) env['SIPS_PORT'] = String(this.#sip.tlsPort);
    }
    return env;
  }

  #startService(name: ServiceName, env: NodeJS.ProcessEnv): Promise<StartResult>[] {
    const count = name === 'media' ? this.#config.mediaWorkers : 1;
    // It is started when the others are: those have the processor for themselves first.
    if (name === 'media') {
      this.#mediaStandby = standbyOf('media', env, this.#log, () => this.#lender.loans);
      this.#lender.ahead = this.#mediaStandby;
    }
    const children = Array.from({ length: count }, (_, instance) => this.#supervised(name, instance, env));
    this.#children.set(name, children);
    return children.map((child) => child.start());
  }

  #supervised(name: ServiceName, instance: number, env: NodeJS.ProcessEnv): Supervised {
    const sip = this.#sip;
    const lent =
      name === 'media'
        ? () => this.#lender.loansOf(instance)
        : name === 'sip-endpoint' && sip !== null
          ? () => sip.loans()
          : undefined;
    const spec = specOf({
      name,
      instance,
      env,
      ...(name === 'dashboard-api'
        ? { firstEnv: { EARSHOT_SIGNIN_TOKEN: this.#signInToken }, laterEnv: () => this.#sameHttpPort() }
        : {}),
      ...(lent === undefined ? {} : { lent }),
      ...(TOLD_OF_ADMISSION.has(name) ? { told: () => this.#situation() } : {}),
      ...(name === 'media' && this.#mediaStandby !== null ? { standby: this.#mediaStandby } : {}),
    });
    return new Supervised(spec, this.#log, {
      message: (message, child) => this.#receive(name, instance, message, child),
      ready: (child) => {
        this.#log.info({ child: spec.label, pid: child.pid, ...child.info }, 'process ready');
        if (name === 'media') this.#tellEngines();
        if (name === 'asr') void this.#keeper?.changed();
      },
      exit: () => {
        this.#metrics.delete(spec.label);
        if (name === 'asr' && this.#engines.delete(instance)) this.#tellEngines();
      },
    });
  }

  #modelKeeper(env: NodeJS.ProcessEnv): ModelKeeper {
    // An empty ASR_MODEL counts as unset: the shipped model.
    const envOf = (model: Model): NodeJS.ProcessEnv => ({ ...env, ASR_MODEL: model ?? '' });
    const fleet = new EngineFleet({
      count: this.#config.asrEngines,
      // The connections to a speech server are shared out to the engines that serve.
      standby: (model) => (model?.includes('://') === true ? 0 : this.#config.asrStandby),
      channelsOf: (instance) => this.#engines.get(instance)?.channels ?? 0,
      make: (instance, model) => this.#supervised('asr', instance, envOf(model)),
      changed: () => {
        this.#children.set('asr', fleet.children);
        void this.#keeper?.changed();
      },
      log: this.#log,
    });
    this.#fleet = fleet;
    return new ModelKeeper({
      dataDir: resolve(this.#config.dataDir),
      fixed: this.#config.asrModel,
      fleet,
      check: (model) => checkModel(model, envOf(null)),
      makeShadow: (model) => this.#supervised('shadow', 0, envOf(model)),
      shadowChanged: (children) => this.#children.set('shadow', children),
      log: this.#log,
    });
  }

  /** With HTTP_PORT=0 the first process took a free port, and links to it are out by now. */
  #sameHttpPort(): NodeJS.ProcessEnv {
    if (this.#config.httpPort !== 0 || this.#config.publicUrl !== null) return {};
    const url = this.#children.get('dashboard-api')?.[0]?.info['url'];
    return typeof url === 'string' && URL.canParse(url) ? { HTTP_PORT: new URL(url).port || '80' } : {};
  }

  #receive(name: ServiceName, instance: number, message: FromChild, child: Supervised): void {
    switch (message.type) {
      case 'pong':
        this.#metrics.set(child.spec.label, {
          process: child.spec.label,
          pid: child.pid ?? 0,
          metrics: message.metrics,
        });
        if (message.engine !== undefined) this.#engines.set(instance, message.engine);
        break;
      case 'lend':
        if (name === 'media')
          this.#lender.lend(instance, message, (reply, handle) => child.send(reply, handle));
        break;
      case 'return':
        if (name === 'media') this.#lender.giveBack(instance, message.channel);
        break;
      case 'metrics.get':
        child.send({ type: 'metrics', id: message.id, processes: [...this.#metrics.values()] });
        break;
      case 'admission.set':
        this.setAdmission(message.open);
        break;
      case 'ready':
      case 'standing-by':
      case 'fatal':
        break;
    }
  }

  #situation(): ToChild[] {
    return [
      { type: 'engines', engines: [...this.#engines.values()] },
      { type: 'admission', open: this.#admitting },
    ];
  }

  #tellEngines(): void {
    const engines = [...this.#engines.values()];
    for (const name of ['media', 'gateway'] as const) {
      for (const child of this.#children.get(name) ?? []) child.send({ type: 'engines', engines });
    }
  }
}

/** A child said why it cannot start. */
class StartFailure extends EarshotError {
  readonly #action: string;
  constructor(failure: Extract<StartResult, { kind: 'failed' }>) {
    super(failure.code as ErrorCode, failure.message);
    this.#action = failure.action;
  }
  override get action(): string {
    return this.#action;
  }
}
