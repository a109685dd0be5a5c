import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from './free-port.ts';
import type { HostPort } from './sip-transport.ts';

const KAMAILIO = '/usr/sbin/kamailio';
export const hasKamailio = existsSync(KAMAILIO);

const CONFIG = fileURLToPath(new URL('../../deploy/kamailio/kamailio.cfg', import.meta.url));
const STOP_LIMIT_MS = 10_000;

/** Kamailio with deploy/kamailio's configuration, before some nodes, on a free port of loopback (UDP and TCP). */
export class Kamailio {
  readonly sip: HostPort;
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #printed: string[] = [];

  private constructor(child: ChildProcess, sip: HostPort, folder: string) {
    this.#child = child;
    this.sip = sip;
    this.#folder = folder;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => this.#printed.push(text));
    }
  }

  /** It has read its files and is about to answer; whether its nodes are up it finds by asking them. */
  static async start(nodes: readonly HostPort[]): Promise<Kamailio> {
    const folder = await mkdtemp(join(tmpdir(), 'es-kamailio-'));
    const list = join(folder, 'dispatcher.list');
    const lines = nodes.map(({ host, port }) => `1 sip:${host}:${port};transport=udp 0 0\n`);
    await writeFile(list, lines.join(''));
    const port = await freePort();
    const args = [
      ['-f', CONFIG],
      ['-DD', '-E'],
      ['-A', `LISTEN_UDP=udp:127.0.0.1:${port}`],
      ['-A', `LISTEN_TCP=tcp:127.0.0.1:${port}`],
      ['-A', `NODES="${list}"`],
      ['-m', '64', '-M', '8'],
      ['-Y', folder, '-w', folder, '-P', join(folder, 'pid')],
    ].flat();
    const child = spawn(KAMAILIO, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    return new Kamailio(child, { host: '127.0.0.1', port }, folder);
  }

  /** What it wrote, for a test that failed. */
  get printed(): string {
    return this.#printed.join('');
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const gone = once(this.#child, 'exit');
      this.#child.kill('SIGTERM');
      const hard = setTimeout(() => this.#child.kill('SIGKILL'), STOP_LIMIT_MS);
      await gone;
      clearTimeout(hard);
    }
    await rm(this.#folder, { recursive: true, force: true });
  }
}
