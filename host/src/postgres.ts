import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmod, chown, lchown, mkdir, open, readdir, readFile, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { EarshotError } from '@earshot/contracts';
import pg from 'pg';
import { postgresBinaries } from './postgres-binaries.ts';
import { postgresFolder, postgresUser, type SystemUser } from './postgres-user.ts';

const START_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 20_000;
const LEFTOVERS_MS = 10_000;

export interface PostgresOptions {
  readonly dataDir: string;
  /** Where the copied binaries go, if not beside the data. */
  readonly binariesUnder?: string;
  readonly onStep?: (text: string) => void;
}

export interface Postgres {
  /** For the database `earshot`. Stays the same when the server is started again. */
  readonly url: string;
  readonly pid: number;
  /** Fast shutdown; resolves when the server has gone. */
  stop(): Promise<void>;
  /** Called when the server ended without stop(). */
  onExit(listener: () => void): void;
  /** Starts it again after an unexpected end, on the same port. */
  restart(): Promise<void>;
}

/**
 * Starts the embedded PostgreSQL (or adopts the one a crashed host left running) and makes the database `earshot`.
 * It listens on loopback only, with a password kept in DATA_DIR. It runs detached: a Ctrl-C in the terminal reaches host
 * alone, and the database stops last.
 * @throws EarshotError DATABASE_START_FAILED with the end of its log
 */
export async function startPostgres(options: PostgresOptions): Promise<Postgres> {
  try {
    const server = await EmbeddedServer.prepare(options);
    await server.restart();
    return server;
  } catch (error) {
    if (error instanceof EarshotError) throw error;
    throw new EarshotError('DATABASE_START_FAILED', (error as Error).message, { cause: error });
  }
}

class EmbeddedServer implements Postgres {
  readonly #folder: string;
  readonly #binaries: string;
  readonly #user: SystemUser | null;
  readonly #password: string;
  readonly #logFile: string;
  readonly #listeners: (() => void)[] = [];
  #port = 0;
  #pid = 0;
  #stopping = false;
  #starting = false;

  private constructor(
    folder: string,
    binaries: string,
    user: SystemUser | null,
    password: string,
    logFile: string,
  ) {
    this.#folder = folder;
    this.#binaries = binaries;
    this.#user = user;
    this.#password = password;
    this.#logFile = logFile;
  }

  static async prepare(options: PostgresOptions): Promise<EmbeddedServer> {
    await mkdir(options.dataDir, { recursive: true });
    const user = await postgresUser();
    const folder = await postgresFolder(options.dataDir, user);
    await mkdir(folder, { recursive: true });
    const binaries = await postgresBinaries(options.binariesUnder ?? folder);
    const password = await keptSecret(join(options.dataDir, 'postgres-password'));
    const server = new EmbeddedServer(
      folder,
      binaries,
      user,
      password,
      join(options.dataDir, 'postgres.log'),
    );
    if (!(await readdir(folder)).includes('data')) {
      options.onStep?.('Making the database (first start)');
      await server.#initialise();
    }
    return server;
  }

  get url(): string {
    return `postgresql://earshot:${this.#password}@127.0.0.1:${this.#port}/earshot`;
  }

  get pid(): number {
    return this.#pid;
  }

  onExit(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** A server that was killed leaves children for a moment, and their shared memory keeps the next one from starting. */
  async restart(): Promise<void> {
    for (const limit = performance.now() + LEFTOVERS_MS; ;) {
      this.#starting = true;
      try {
        await this.#start();
        return;
      } catch (error) {
        if (performance.now() > limit || this.#stopping) throw error;
        await delay(200);
      } finally {
        this.#starting = false;
      }
    }
  }

  async #start(): Promise<void> {
    const left = await runningServer(join(this.#folder, 'data'));
    if (left !== null) {
      this.#pid = left.pid;
      this.#port = left.port;
      this.#watchAdopted();
    } else {
      if (this.#port === 0) this.#port = await freePort();
      this.#watch(await this.#spawn());
    }
    await this.#accepting();
    await this.#createDatabase();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    // SIGINT is PostgreSQL's fast shutdown: sessions are ended, everything is written. SIGQUIT leaves recovery to the next start.
    for (const signal of ['SIGINT', 'SIGQUIT'] as const) {
      if (!signalProcess(this.#pid, signal)) return;
      const limit = Date.now() + STOP_LIMIT_MS;
      while (Date.now() < limit) {
        if (!signalProcess(this.#pid, 0)) return;
        await delay(20);
      }
    }
  }

  async #initialise(): Promise<void> {
    const passwordFile = join(this.#folder, 'initial-password');
    await writeFile(passwordFile, this.#password, { mode: 0o600 });
    if (this.#user !== null) {
      await chmod(this.#folder, 0o755);
      await chown(passwordFile, this.#user.uid, this.#user.gid);
      await lchown(this.#folder, this.#user.uid, this.#user.gid);
    }
    const child = spawn(
      join(this.#binaries, 'bin', 'initdb'),
      [
        '-D',
        join(this.#folder, 'data'),
        '-U',
        'earshot',
        '-A',
        'scram-sha-256',
        `--pwfile=${passwordFile}`,
        '--encoding=UTF8',
        '--locale=C',
        '--locale-provider=builtin',
        '--builtin-locale=C.UTF-8',
      ],
      { stdio: ['ignore', 'pipe', 'pipe'], cwd: this.#folder, ...this.#user },
    );
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const [code] = (await once(child, 'close')) as [number | null];
    if (code !== 0) throw new EarshotError('DATABASE_START_FAILED', `initdb: ${output.slice(-2000)}`);
  }

  async #spawn(): Promise<ChildProcess> {
    const log = await open(this.#logFile, 'a');
    const child = spawn(
      join(this.#binaries, 'bin', 'postgres'),
      [
        '-D',
        join(this.#folder, 'data'),
        '-p',
        String(this.#port),
        '-h',
        '127.0.0.1',
        '-c',
        'unix_socket_directories=',
        '-c',
        'max_connections=200',
      ],
      { stdio: ['ignore', log.fd, log.fd], cwd: this.#folder, detached: true, ...this.#user },
    );
    await once(child, 'spawn');
    await log.close();
    this.#pid = child.pid ?? 0;
    child.unref();
    return child;
  }

  #watch(child: ChildProcess): void {
    child.once('exit', () => this.#ended());
  }

  /** A server that is not our child tells us nothing when it ends: look each second. */
  #watchAdopted(): void {
    const timer = setInterval(() => {
      if (signalProcess(this.#pid, 0)) return;
      clearInterval(timer);
      this.#ended();
    }, 1000);
    timer.unref();
  }

  #ended(): void {
    if (this.#stopping || this.#starting) return;
    for (const listener of this.#listeners) listener();
  }

  async #accepting(): Promise<void> {
    const limit = Date.now() + START_LIMIT_MS;
    for (;;) {
      const client = this.#client('postgres');
      try {
        await client.connect();
        await client.end();
        return;
      } catch (error) {
        if (Date.now() > limit || !signalProcess(this.#pid, 0)) {
          const log = await readFile(this.#logFile, 'utf8').catch(() => '');
          throw new EarshotError(
            'DATABASE_START_FAILED',
            `${(error as Error).message}\n${log.slice(-1500)}`,
            { cause: error },
          );
        }
        await delay(50);
      }
    }
  }

  async #createDatabase(): Promise<void> {
    const client = this.#client('postgres');
    await client.connect();
    try {
      const { rowCount } = await client.query(`select 1 from pg_database where datname = 'earshot'`);
      if (rowCount === 0) await client.query('create database earshot');
    } finally {
      await client.end();
    }
  }

  #client(database: string): pg.Client {
    const client = new pg.Client({
      host: '127.0.0.1',
      port: this.#port,
      user: 'earshot',
      password: this.#password,
      database,
      connectionTimeoutMillis: 2000,
    });
    client.on('error', () => undefined); // reported by the query or by connect()
    return client;
  }
}

/** Reads a secret from a file, or makes it there (mode 0600). */
async function keptSecret(file: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    const secret = randomBytes(24).toString('hex');
    await writeFile(file, `${secret}\n`, { mode: 0o600 });
    return secret;
  }
}

/** The server that has this data folder now, by its postmaster.pid; null when it is not running. */
async function runningServer(data: string): Promise<{ pid: number; port: number } | null> {
  const text = await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => null);
  if (text === null) return null;
  const lines = text.split('\n');
  const pid = Number(lines[0]);
  const port = Number(lines[3]);
  if (!Number.isInteger(pid) || pid <= 0 || !signalProcess(pid, 0)) return null;
  // The pid may belong to another program by now.
  const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => 'postgres');
  return commandLine.includes('postgres') && port > 0 ? { pid, port } : null;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as net.AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

/** @returns false when there is no such process. Signal 0 only asks. */
function signalProcess(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return pid > 0 && process.kill(pid, signal);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
