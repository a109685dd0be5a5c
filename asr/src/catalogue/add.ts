import { mkdir, rm, stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { EarshotError } from '@earshot/contracts';
import { type CatalogueEntry, entryOf } from './catalogue.ts';
import { checkModel, type ModelReport } from './check.ts';
import { download } from './download.ts';
import { PinFile } from './pins.ts';
import { checkName, type ModelRecord, type ModelStore } from './store.ts';
import { sizeText, type Terminal } from './terminal.ts';
import { unpack } from './unpack.ts';

const MAX_ARCHIVE_BYTES = 4e9;
const STALL_MS = 60_000;
const PAUSES_MS = [1000, 2000, 5000, 10_000, 20_000];

export interface AddOptions {
  /** A name of the catalogue, a URL, an archive or a folder. */
  readonly what: string;
  /** The name it is to have here. */
  readonly as: string | null;
  /** Takes an archive that is not the one of the first download. */
  readonly acceptChange: boolean;
  readonly measure: boolean;
  /** For tests: shorter ones. */
  readonly stallMs?: number;
  readonly pausesMs?: readonly number[];
}

export interface Added {
  readonly name: string;
  readonly folder: string;
  readonly record: ModelRecord;
  readonly report: ModelReport;
}

/**
 * Brings a model under DATA_DIR/models: downloads it, pins its checksum, unpacks it, checks it and measures it here. A model that
 * cannot be used is not kept.
 * @throws EarshotError
 */
export async function addModel(store: ModelStore, options: AddOptions, terminal: Terminal): Promise<Added> {
  const { what } = options;
  const entry = entryOf(what);
  const url = entry?.url ?? (/^https?:\/\//i.test(what) ? what : null);
  const name = checkName(
    options.as ?? entry?.name ?? nameOf(url === null ? resolve(what) : new URL(url).pathname),
  );
  if (await store.has(name)) {
    throw new EarshotError(
      'MODEL_IN_USE',
      `there is a model ${name} already: remove it first, or add this one --as another name`,
    );
  }
  await mkdir(store.folder, { recursive: true }).catch((error: Error) => {
    throw new EarshotError('DATA_DIR_UNUSABLE', error.message, { cause: error });
  });
  const sha256 =
    url === null
      ? await fromDisk(store, what, name, terminal)
      : await fromWeb(store, url, name, entry, options, terminal);
  try {
    const report = await checked(store, name, options.measure, terminal);
    const record: ModelRecord = {
      source: url ?? basename(resolve(what)),
      catalogue: entry?.name ?? null,
      sha256,
      licence: entry?.licence ?? null,
      addedAt: new Date().toISOString(),
      measured: report.measured,
    };
    await store.record(name, record);
    return { name, folder: store.folderOf(name), record, report };
  } catch (error) {
    await rm(store.folderOf(name), { recursive: true, force: true });
    throw error;
  }
}

async function checked(
  store: ModelStore,
  name: string,
  measure: boolean,
  terminal: Terminal,
): Promise<ModelReport> {
  terminal.say('Checking it' + (measure ? ' and measuring channels per core on this machine' : ''));
  return checkModel(store.folderOf(name), measure, (size) => terminal.progress(`batches of ${size}`));
}

async function fromDisk(store: ModelStore, what: string, name: string, terminal: Terminal): Promise<null> {
  if ((await stat(what).catch(() => null)) === null) {
    throw new EarshotError('MODEL_UNKNOWN', `${what} is not in the catalogue, no URL, and no file or folder`);
  }
  terminal.say(`Unpacking ${what}`);
  await unpack(resolve(what), store.folderOf(name), undefined, (file) => terminal.progress(file));
  return null;
}

async function fromWeb(
  store: ModelStore,
  url: string,
  name: string,
  entry: CatalogueEntry | null,
  options: AddOptions,
  terminal: Terminal,
): Promise<string> {
  terminal.say(`Downloading ${url}`);
  const startMs = performance.now();
  const downloaded = await download({
    url,
    folder: store.partialFolder,
    maxBytes: MAX_ARCHIVE_BYTES,
    stallMs: options.stallMs ?? STALL_MS,
    pausesMs: options.pausesMs ?? PAUSES_MS,
    onProgress: ({ bytes, total, resumedFrom }) => {
      const seconds = (performance.now() - startMs) / 1000;
      const rate = `${sizeText((bytes - resumedFrom) / Math.max(0.1, seconds))}/s`;
      const share = total === null ? '' : ` of ${sizeText(total)} (${Math.floor((100 * bytes) / total)} %)`;
      terminal.progress(`${sizeText(bytes)}${share}, ${rate}`);
    },
  });
  try {
    const { path, ...what } = downloaded;
    const pinned = await new PinFile(store.pinsPath).check(
      url,
      what,
      entry?.sha256 ?? null,
      options.acceptChange,
      new Date(),
    );
    terminal.say(
      `${sizeText(what.bytes)}, SHA-256 ${what.sha256} ` +
        (pinned === 'same' ? '(as before)' : '(pinned: another file at this address will be refused)'),
    );
    terminal.say('Unpacking');
    await unpack(path, store.folderOf(name), undefined, (file) => terminal.progress(file));
    return what.sha256;
  } finally {
    await rm(downloaded.path, { force: true });
  }
}

/** `…/some-model.tar.bz2` is some-model. */
const nameOf = (path: string): string =>
  basename(decodeURIComponent(path)).replace(/\.(tar(\.(bz2|gz))?|tgz|tbz2?|onnx)$/i, '');
