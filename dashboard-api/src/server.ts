import { join, resolve } from 'node:path';
import { EarshotError, type ProcessMetrics } from '@earshot/contracts';
import {
  CommandClient,
  type Config,
  createPool,
  isLoopback,
  listenError,
  type Log,
  type Registry,
} from '@earshot/platform';
import { buildApp } from './app.ts';
import { newApiKey, newSecret, secretFile } from './auth/api-key.ts';
import { SigninTokens } from './auth/signin-tokens.ts';
import { LiveBus } from './live/bus.ts';
import { LiveHub } from './live/hub.ts';
import { Database, withStatementTimeout } from './queries/database.ts';
import type { AdmissionSwitch } from './types.ts';

const STATEMENT_TIMEOUT_MS = 15_000;
const POOL_SIZE = 8;
/** A request waits no longer for transcripts. */
const COMMAND_LIMIT_MS = 10_000;

export interface ServerOptions {
  readonly config: Pick<
    Config,
    | 'httpBind'
    | 'httpPort'
    | 'sipBind'
    | 'sipPort'
    | 'publicUrl'
    | 'dataDir'
    | 'databaseUrl'
    | 'apiKey'
    | 'maxCalls'
  >;
  readonly log: Log;
  readonly registry: Registry;
  readonly metrics: () => Promise<readonly ProcessMetrics[]>;
  readonly admission: AdmissionSwitch;
  /** Path of the live bus's socket. */
  readonly busPath: string;
  /** Path of transcripts' commands socket. */
  readonly commandsPath: string;
  /** The built page. */
  readonly pageDir: string;
  /** A one-time token that host has put into the link it prints. */
  readonly signinToken: string | null;
  readonly now?: () => number;
}

export interface Server {
  /** Where browsers reach it, without a slash at the end. */
  readonly url: string;
  readonly port: number;
  close(): Promise<void>;
}

/**
 * The whole service: database, bus, application, listening.
 * @throws EarshotError DATABASE_UNREACHABLE, PORT_IN_USE, or CONFIG_INVALID for an address or port that this process cannot have
 */
export async function startServer(options: ServerOptions): Promise<Server> {
  const { config, log, registry } = options;
  if (config.databaseUrl === null) {
    throw new EarshotError('DATABASE_UNREACHABLE', 'DATABASE_URL is not set.');
  }
  const now = options.now ?? Date.now;
  const dataDir = resolve(config.dataDir);
  const apiKey = config.apiKey ?? secretFile(join(dataDir, 'api-key'), newApiKey);
  const sessionSecret = secretFile(join(dataDir, 'session-secret'), newSecret);
  const signinTokens = new SigninTokens(join(dataDir, 'signin-tokens.json'));
  if (options.signinToken !== null) signinTokens.admit(options.signinToken, now());

  const pool = createPool(withStatementTimeout(config.databaseUrl, STATEMENT_TIMEOUT_MS), log, POOL_SIZE);
  const db = new Database(pool);
  const hub = new LiveHub(db, log, registry, now);
  const bus = new LiveBus({ message: (message) => hub.bus(message) });
  const commands = new CommandClient(options.commandsPath, COMMAND_LIMIT_MS);
  let url = '';
  const app = await buildApp({
    db,
    commands,
    log,
    registry,
    hub,
    busConnected: () => bus.connected,
    metrics: options.metrics,
    apiKey,
    sessionSecret,
    signinTokens,
    publicUrl: config.publicUrl,
    baseUrl: () => url,
    loopbackOnly: isLoopback(config.httpBind),
    maxCalls: config.maxCalls,
    admission: options.admission,
    sip: { host: config.sipBind, port: config.sipPort },
    recordingsDir: join(dataDir, 'recordings'),
    pageDir: options.pageDir,
    now,
  });
  const close = async (): Promise<void> => {
    await hub.stop();
    await app.close();
    await bus.close();
    commands.close();
    await pool.end();
  };
  try {
    await hub.start();
    await bus.listen(options.busPath);
    await listen(app, config);
  } catch (error) {
    await close();
    throw error;
  }
  const address = app.server.address();
  const port = typeof address === 'object' && address !== null ? address.port : config.httpPort;
  const host = config.httpBind.includes(':') ? `[${config.httpBind}]` : config.httpBind;
  url = (config.publicUrl ?? `http://${host}:${port}`).replace(/\/+$/, '');
  return { url, port, close };
}

/** @throws EarshotError PORT_IN_USE, CONFIG_INVALID */
async function listen(
  app: Awaited<ReturnType<typeof buildApp>>,
  { httpBind: address, httpPort: port }: Pick<Config, 'httpBind' | 'httpPort'>,
): Promise<void> {
  try {
    await app.listen({ host: address, port });
  } catch (error) {
    const place = {
      what: 'HTTP',
      address,
      port,
      addressSetting: 'HTTP_BIND',
      portSetting: 'HTTP_PORT',
    } as const;
    throw listenError((error as NodeJS.ErrnoException).code, place, error) ?? error;
  }
}
