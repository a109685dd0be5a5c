import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, chmod } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const READY = /Earshot is ready: (\S+)\/signin\?token=(\S+)\s+SIP (by drachtio-server at )?(\S+):(\d+)/;
/** Where a drachtio-server (DRACHTIO_HOST) takes calls, unless DRACHTIO_SIP says otherwise. */
const DRACHTIO_SIP = '127.0.0.1:5060';
const START_LIMIT_MS = 120_000;

export interface EarshotOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Told each line that Earshot prints. */
  readonly onLine?: (line: string) => void;
  /** Kept after stop(), to look at; a temporary one otherwise. */
  readonly dataDir?: string;
}

/** A whole Earshot of its own, with free ports and a data folder of its own, started as a person starts it. */
export class EarshotProcess {
  readonly dataDir: string;
  readonly url: string;
  readonly signInToken: string;
  readonly sip: { readonly host: string; readonly port: number };
  readonly apiKey: string;
  readonly lines: readonly string[];
  readonly #child: ChildProcess;
  readonly #removeData: boolean;

  private constructor(
    child: ChildProcess,
    lines: readonly string[],
    found: RegExpMatchArray,
    apiKey: string,
    dataDir: string,
    removeData: boolean,
  ) {
    this.#child = child;
    this.lines = lines;
    this.url = found[1] ?? '';
    this.signInToken = found[2] ?? '';
    this.sip = found[3] === undefined ? { host: found[4] ?? '', port: Number(found[5]) } : drachtioSip();
    this.apiKey = apiKey;
    this.dataDir = dataDir;
    this.#removeData = removeData;
  }

  /** Resolves when it said that it is ready. @throws Error with what it printed when it did not come up */
  static async start(options: EarshotOptions = {}): Promise<EarshotProcess> {
    const dataDir = options.dataDir ?? (await temporaryDataDir());
    const child = spawn(
      process.execPath,
      [
        '--disable-warning=ExperimentalWarning',
        '--disable-warning=DEP0112',
        fileURLToPath(new URL('../../host/main.ts', import.meta.url)),
      ],
      {
        env: {
          ...process.env,
          HTTP_PORT: '0',
          SIP_PORT: '0',
          LOG_LEVEL: 'info',
          ...options.env,
          DATA_DIR: dataDir,
        },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    const lines: string[] = [];
    try {
      const found = await readyLine(child, lines, options.onLine);
      const apiKey = options.env?.['API_KEY'] ?? (await readFile(join(dataDir, 'api-key'), 'utf8')).trim();
      return new EarshotProcess(child, lines, found, apiKey, dataDir, options.dataDir === undefined);
    } catch (error) {
      child.kill('SIGTERM');
      throw error;
    }
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Pids of host's children whose command line has the workspace folder, such as `media`. */
  async pidsOf(workspace: string): Promise<number[]> {
    const children = await readFile(`/proc/${this.pid}/task/${this.pid}/children`, 'utf8');
    const pids = children.trim().split(/\s+/).map(Number);
    const lines = await Promise.all(
      pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
    );
    return pids.filter((_, i) => lines[i]?.includes(`/${workspace}/main.ts`));
  }

  /** A request with the key; the body parsed when it is JSON. */
  async get<T>(path: string): Promise<T> {
    const response = await fetch(this.url + path, { headers: { authorization: `Bearer ${this.apiKey}` } });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return (
      response.headers.get('content-type')?.includes('json') ? response.json() : response.text()
    ) as Promise<T>;
  }

  async post<T>(path: string, body: unknown): Promise<T> {
    const response = await fetch(this.url + path, {
      method: 'POST',
      headers: { authorization: `Bearer ${this.apiKey}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return response.json() as Promise<T>;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const gone = new Promise((resolve) => this.#child.once('exit', resolve));
      this.#child.kill('SIGTERM');
      await gone;
    }
    if (this.#removeData) await rm(this.dataDir, { recursive: true, force: true });
  }
}

/** An application is not told where its server takes calls from outside. */
function drachtioSip(): { host: string; port: number } {
  const address = process.env['DRACHTIO_SIP'] ?? DRACHTIO_SIP;
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) };
}

/** A DATA_DIR that outlives its Earshot; to be removed by who asked for it. */
export async function temporaryDataDir(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'earshot-data-'));
  // As root, PostgreSQL is run by another user, who has to get there.
  await chmod(folder, 0o755);
  return folder;
}

function readyLine(
  child: ChildProcess,
  lines: string[],
  onLine?: (line: string) => void,
): Promise<RegExpMatchArray> {
  return new Promise((resolve, reject) => {
    const limit = setTimeout(
      () => reject(new Error(`not ready in ${START_LIMIT_MS / 1000} s:\n${lines.slice(-30).join('\n')}`)),
      START_LIMIT_MS,
    );
    const take = (line: string): void => {
      lines.push(line);
      onLine?.(line);
      const found = READY.exec(line);
      if (found === null) return;
      clearTimeout(limit);
      resolve(found);
    };
    for (const stream of [child.stdout, child.stderr]) {
      let rest = '';
      stream?.setEncoding('utf8').on('data', (chunk: string) => {
        const parts = (rest + chunk).split('\n');
        rest = parts.pop() ?? '';
        parts.forEach(take);
      });
    }
    child.once('exit', (code) => {
      clearTimeout(limit);
      reject(new Error(`ended with ${code}:\n${lines.slice(-30).join('\n')}`));
    });
  });
}
