import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { EarshotError } from '@earshot/contracts';
import { readIfThere, writeWhole } from '@earshot/platform';

/** The checksum of what was downloaded first from an address. */
export interface Pin {
  /** Lower-case hexadecimal. */
  readonly sha256: string;
  readonly bytes: number;
  /** ISO time. */
  readonly pinnedAt: string;
}

type Pins = Record<string, Pin>;

/** The checksums of downloads, pinned at the first one of each address: a later one with other bytes is refused. */
export class PinFile {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  async of(url: string): Promise<Pin | null> {
    return (await this.#read())[url] ?? null;
  }

  /**
   * Compares with the pin, or pins.
   * @param published checksum by the catalogue, which counts as pinned; null: it has none
   * @param accept takes other bytes than before for right from now on
   * @throws EarshotError MODEL_CHANGED
   */
  async check(
    url: string,
    downloaded: { readonly sha256: string; readonly bytes: number },
    published: string | null,
    accept: boolean,
    now: Date,
  ): Promise<'pinned' | 'same'> {
    const pins = await this.#read();
    const pin = pins[url];
    const expected = pin?.sha256 ?? published;
    if (expected === downloaded.sha256) return 'same';
    if (expected !== null && !accept) {
      const since = pin === undefined ? 'by the catalogue' : `on ${pin.pinnedAt.slice(0, 10)}`;
      throw new EarshotError(
        'MODEL_CHANGED',
        `${url} has the checksum ${downloaded.sha256}, and ${expected} ${since}`,
      );
    }
    pins[url] = { ...downloaded, pinnedAt: now.toISOString() };
    await mkdir(dirname(this.#path), { recursive: true });
    await writeWhole(this.#path, `${JSON.stringify(pins, null, 2)}\n`);
    return 'pinned';
  }

  async #read(): Promise<Pins> {
    const text = await readIfThere(this.#path);
    if (text === null) return {};
    try {
      return JSON.parse(text) as Pins;
    } catch (error) {
      // Going on without would take whatever comes for right.
      throw new EarshotError('MODEL_CHANGED', `${this.#path} is damaged: repair it or remove it`, {
        cause: error,
      });
    }
  }
}
