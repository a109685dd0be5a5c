import { lstat, mkdir, readdir, rm } from 'node:fs/promises';
import { isAbsolute, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EarshotError, modelFiles } from '@earshot/contracts';
import { readIfThere, writeWhole } from '@earshot/platform';
import { isRemoteAddress } from '../network/address.ts';
import type { Measured } from './check.ts';

export const SHIPPED_FOLDER = fileURLToPath(new URL('../../model', import.meta.url));
export const SHIPPED = 'shipped';

/** Kept beside an added model's folder, as NAME.json: the folder stays as its publisher made it. */
export interface ModelRecord {
  /** A URL, or the name of the file or folder it came from. */
  readonly source: string;
  /** Its name in the catalogue, if it came from there. */
  readonly catalogue: string | null;
  readonly sha256: string | null;
  readonly licence: string | null;
  /** ISO time. */
  readonly addedAt: string;
  readonly measured: Measured | null;
}

export interface InstalledModel {
  readonly name: string;
  readonly folder: string;
  /** Null when it was not added by the command. */
  readonly record: ModelRecord | null;
}

const NAME = /^[a-z0-9][a-z0-9._-]{0,99}$/i;

/** Their records would be other files of the store: what was measured of the shipped model, the pins. */
const RESERVED: readonly string[] = [SHIPPED, 'pins'];

/**
 * Compared in lower case: some file systems do not tell the cases apart.
 * @throws EarshotError MODEL_UNKNOWN when it cannot be a model's name, or would collide with the store's own files
 */
export function checkName(name: string): string {
  const lower = name.toLowerCase();
  // NAME.json is a record, NAME.new what is being unpacked or written.
  if (NAME.test(name) && !RESERVED.includes(lower) && !/\.(json|new)$/.test(lower)) return name;
  throw new EarshotError(
    'MODEL_UNKNOWN',
    `${JSON.stringify(name)} cannot be a model's name: letters, digits, . _ -, not "${RESERVED.join('" or "')}", ` +
      'and not with .json or .new at its end',
  );
}

/** The models that were added: DATA_DIR/models. */
export class ModelStore {
  readonly folder: string;
  readonly #dataDir: string;

  constructor(dataDir: string) {
    this.#dataDir = resolve(dataDir);
    this.folder = join(this.#dataDir, modelFiles.models);
  }

  get pinsPath(): string {
    return join(this.folder, 'pins.json');
  }
  get partialFolder(): string {
    return join(this.folder, '.partial');
  }

  folderOf(name: string): string {
    return join(this.folder, checkName(name));
  }

  async list(): Promise<InstalledModel[]> {
    const entries = await readdir(this.folder, { withFileTypes: true }).catch(
      (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return [];
        throw new EarshotError('DATA_DIR_UNUSABLE', error.message, { cause: error });
      },
    );
    const names = entries
      .filter((entry) => entry.isDirectory() && NAME.test(entry.name))
      .map(({ name }) => name);
    // What a process that died was unpacking.
    const whole = names.filter((name) => !name.endsWith('.new')).sort();
    return Promise.all(
      whole.map(async (name) => ({
        name,
        folder: join(this.folder, name),
        record: await this.#record(name),
      })),
    );
  }

  async has(name: string): Promise<boolean> {
    return isFolder(this.folderOf(name));
  }

  async record(name: string, record: ModelRecord): Promise<void> {
    await writeWhole(this.#recordPath(checkName(name)), `${JSON.stringify(record, null, 2)}\n`);
  }

  /** What was measured of the shipped model on this machine; null when nothing was. */
  async shippedMeasured(): Promise<Measured | null> {
    return (await this.#record(SHIPPED))?.measured ?? null;
  }

  async recordShipped(measured: Measured): Promise<void> {
    await mkdir(this.folder, { recursive: true });
    await writeWhole(this.#recordPath(SHIPPED), `${JSON.stringify({ measured }, null, 2)}\n`);
  }

  /** @throws EarshotError MODEL_UNKNOWN */
  async remove(name: string): Promise<void> {
    if (!(await this.has(name)))
      throw new EarshotError('MODEL_UNKNOWN', `${name} is not among the added models`);
    await rm(this.folderOf(name), { recursive: true });
    await rm(this.#recordPath(name), { force: true });
  }

  /**
   * What a person means by a model: an added one's name, `shipped`, a folder, the URL of an engine.
   * @returns as ModelChoice has it: null for the shipped one, folders below DATA_DIR relative to it
   * @throws EarshotError MODEL_UNKNOWN
   */
  async resolve(text: string): Promise<string | null> {
    if (text === SHIPPED) return null;
    if (isRemoteAddress(text)) return text;
    const added = NAME.test(text) && (await isFolder(join(this.folder, text)));
    const folder = added ? join(this.folder, text) : resolve(text);
    if (!added && !(await isFolder(folder))) {
      throw new EarshotError('MODEL_UNKNOWN', `${text} is neither an added model nor a folder`);
    }
    const inside = relative(this.#dataDir, folder);
    return inside.startsWith('..') || isAbsolute(inside) ? folder : inside;
  }

  /** The folder of a choice; null for the URL of an engine. */
  folderOfChoice(use: string | null): string | null {
    if (use === null) return SHIPPED_FOLDER;
    return isRemoteAddress(use) ? null : resolve(this.#dataDir, use);
  }

  #recordPath(name: string): string {
    return join(this.folder, `${name}.json`);
  }

  async #record(name: string): Promise<ModelRecord | null> {
    const text = await readIfThere(this.#recordPath(name));
    try {
      return text === null ? null : (JSON.parse(text) as ModelRecord);
    } catch {
      // Only what is known of the model is lost.
      return null;
    }
  }
}

const isFolder = async (path: string): Promise<boolean> =>
  (await lstat(path).catch(() => null))?.isDirectory() === true;
