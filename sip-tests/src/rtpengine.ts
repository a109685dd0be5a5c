import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { freePort } from './free-port.ts';

const RTPENGINE = '/usr/bin/rtpengine';
export const hasRtpengine = existsSync(RTPENGINE);

const START_LIMIT_MS = 15_000;
const ASK_AGAIN_MS = 200;

export interface NgAnswer {
  readonly result: string;
  readonly sdp?: string;
  readonly 'to-tag'?: string;
  readonly 'error-reason'?: string;
}

/** An rtpengine of its own on loopback, without its kernel module, spoken to by its ng protocol (JSON over UDP). */
export class Rtpengine {
  readonly #child: ChildProcess;
  readonly #socket: dgram.Socket;
  readonly #ngPort: number;
  readonly #waiting = new Map<string, (answer: NgAnswer) => void>();
  #printed = '';

  private constructor(child: ChildProcess, socket: dgram.Socket, ngPort: number) {
    this.#child = child;
    this.#socket = socket;
    this.#ngPort = ngPort;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.#printed += text));
    socket.on('message', (message) => {
      const text = message.toString('utf8');
      const space = text.indexOf(' ');
      this.#waiting.get(text.slice(0, space))?.(JSON.parse(text.slice(space + 1)) as NgAnswer);
    });
  }

  static async start(): Promise<Rtpengine> {
    const socket = dgram.createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const ngPort = await freePort();
    // Its media ports: a range of 200 above a free one, below the kernel's own.
    const least = 10_000 + Math.floor(Math.random() * 9000);
    const child = spawn(
      RTPENGINE,
      [
        '--foreground',
        '--log-stderr',
        '--log-level=5',
        '--table=-1',
        '--interface=127.0.0.1',
        `--listen-ng=127.0.0.1:${ngPort}`,
        `--port-min=${least}`,
        `--port-max=${least + 200}`,
        '--num-threads=2',
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    const engine = new Rtpengine(child, socket, ngPort);
    await engine.ask({ command: 'ping' }).catch((error: unknown) => {
      child.kill('SIGKILL');
      socket.close();
      throw error;
    });
    return engine;
  }

  /** A command; asked again until it is answered, which rtpengine knows by the cookie. @throws Error for a refusal */
  async ask(command: Readonly<Record<string, unknown>>): Promise<NgAnswer> {
    const cookie = randomUUID();
    const packet = Buffer.from(`${cookie} ${JSON.stringify(command)}`);
    const send = () => this.#socket.send(packet, this.#ngPort, '127.0.0.1');
    const again = setInterval(send, ASK_AGAIN_MS);
    let limit: NodeJS.Timeout | undefined;
    try {
      const answer = await new Promise<NgAnswer>((resolve, reject) => {
        this.#waiting.set(cookie, resolve);
        limit = setTimeout(
          () => reject(new Error(`rtpengine does not answer:\n${this.#printed}`)),
          START_LIMIT_MS,
        );
        send();
      });
      if (answer.result !== 'ok' && answer.result !== 'pong') throw new Error(answer['error-reason']);
      return answer;
    } finally {
      clearInterval(again);
      clearTimeout(limit);
      this.#waiting.delete(cookie);
    }
  }

  async stop(): Promise<void> {
    const { exitCode, signalCode } = this.#child;
    if (exitCode === null && signalCode === null) {
      const gone = once(this.#child, 'exit');
      this.#child.kill('SIGTERM');
      await gone;
    }
    this.#socket.close();
  }
}
