import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';

const BARESIP = '/usr/bin/baresip';
const MODULES = ['/usr/lib/baresip/modules', '/usr/lib/x86_64-linux-gnu/baresip/modules'].find(existsSync);
/** baresip takes no loopback address for its media, whatever it is told: the first other one, or none. */
export const baresipAddress = Object.values(networkInterfaces())
  .flatMap((addresses) => addresses ?? [])
  .find(({ family, internal }) => family === 'IPv4' && !internal)?.address;
/** It is installed, and this machine has an address that it takes. */
export const canBaresip = existsSync(BARESIP) && MODULES !== undefined && baresipAddress !== undefined;

export interface BaresipCall {
  /** `sip:recorder@HOST:PORT`. */
  readonly target: string;
  /** baresip's name of the codec: `G722/16000/1`. */
  readonly codec: string;
  /** Samples a second of the WAV, which has to be the codec's; channels of it. */
  readonly rate: number;
  readonly channels: 1 | 2;
  /** What it plays, once; then it hangs up by itself. */
  readonly wav: Buffer;
  /** More lines for the accounts file's parameters: `;mediaenc=srtp-mand`. */
  readonly account?: string;
  /** More modules: `srtp`. */
  readonly modules?: readonly string[];
  /** More lines of configuration. */
  readonly config?: readonly string[];
}

/** A baresip in a process and a folder of its own, that calls at once. */
export class Baresip {
  /** Settles when it has ended, with all that it printed. */
  readonly ended: Promise<string>;
  readonly #child: ChildProcess;
  #printed = '';

  private constructor(child: ChildProcess, folder: string) {
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => (this.#printed += text));
    }
    child.stdin?.on('error', () => undefined);
    this.ended = new Promise((resolve) => {
      child.once('close', () => {
        void rm(folder, { recursive: true, force: true }).then(() => resolve(this.#printed));
      });
    });
  }

  static async call(call: BaresipCall): Promise<Baresip> {
    const folder = await mkdtemp(join(tmpdir(), 'baresip-'));
    const wav = join(folder, 'source.wav');
    const modules = [
      'stdio',
      'g711',
      'g722',
      'opus',
      'l16',
      'aufile',
      ...(call.modules ?? []),
      'account',
      'menu',
    ];
    const config = [
      `module_path ${MODULES ?? ''}`,
      ...modules.map((name) => `module ${name}.so`),
      'sip_listen 127.0.0.1:0',
      'sip_transports udp',
      'audio_player aufile,/dev/null',
      `audio_source aufile,${wav}`,
      `audio_srate ${call.rate}-${call.rate}`,
      `audio_channels ${call.channels}-${call.channels}`,
      'rtp_timeout 0',
      ...(call.config ?? []),
    ];
    await writeFile(wav, call.wav);
    await writeFile(join(folder, 'config'), `${config.join('\n')}\n`);
    const account = `<sip:softphone@127.0.0.1>;regint=0;audio_codecs=${call.codec};answermode=manual`;
    await writeFile(join(folder, 'accounts'), `${account}${call.account ?? ''}\n`);
    await writeFile(join(folder, 'contacts'), '');
    const child = spawn(BARESIP, ['-v', '-f', folder, '-e', `/dial ${call.target}`], {
      cwd: folder,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    return new Baresip(child, folder);
  }

  get printed(): string {
    return this.#printed;
  }

  /** Presses a key of the telephone: it is sent as telephone-event while a call is up. */
  press(key: string): void {
    this.#child.stdin?.write(key);
  }

  /** Ends it; it hangs up first. */
  async quit(): Promise<string> {
    this.#child.stdin?.write('/quit\n');
    const limit = setTimeout(() => this.#child.kill('SIGKILL'), 5000);
    const printed = await this.ended;
    clearTimeout(limit);
    return printed;
  }
}
