import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '@earshot/platform';
import type { RtpPorts } from './rtp-ports.ts';

const EVERY_MS = 1000;

/**
 * Keeps in DATA_DIR which RTP port is next, so that a new run begins behind those of the last one: peers of calls that are over
 * may go on sending to theirs, and would be heard in another call.
 */
export class PortCursor {
  readonly #path: string;
  readonly #ports: RtpPorts;
  readonly #log: Log;
  #written = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(dataDir: string, ports: RtpPorts, log: Log) {
    this.#path = join(dataDir, 'rtp-next-port');
    this.#ports = ports;
    this.#log = log;
  }

  async begin(): Promise<void> {
    const known = Number(await readFile(this.#path, 'utf8').catch(() => ''));
    if (Number.isInteger(known) && known > 0) this.#ports.goOnFrom(known);
    this.#timer = setInterval(() => void this.#write(), EVERY_MS).unref();
  }

  async end(): Promise<void> {
    // Before begin() another host may have the folder.
    if (this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
    await this.#write();
  }

  async #write(): Promise<void> {
    const { nextPort } = this.#ports;
    if (nextPort === this.#written) return;
    this.#written = nextPort;
    try {
      await writeFile(this.#path, `${nextPort}\n`);
    } catch (error) {
      this.#log.warn({ err: error }, 'the next RTP port cannot be written down');
    }
  }
}
