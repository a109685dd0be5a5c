import { readFile, stat } from 'node:fs/promises';
import { basename, isAbsolute, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { modelFiles, parseModelStatus } from '@earshot/contracts';

const SHIPPED = fileURLToPath(new URL('../../../asr/model', import.meta.url));
/** As `npm run model -- list` calls it. */
const SHIPPED_NAME = 'shipped';
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

export type ModelFolder =
  { readonly kind: 'folder'; readonly folder: string } | { readonly kind: 'none'; readonly detail: string };

export interface ModelPlaces {
  readonly dataDir: string;
  /** ASR_MODEL. */
  readonly asrModel: string | null;
}

/**
 * The folder of the model asked for: one that was added (DATA_DIR/models), or the serving or the shipped one by its own name.
 * @param asked null: the serving one
 */
export async function modelFolderOf(places: ModelPlaces, asked: string | null): Promise<ModelFolder> {
  const serving = await servingModel(places);
  if (asked === null) {
    return isUrl(serving)
      ? none('calls are recognised by an engine on the network, which takes no recordings: name a model')
      : { kind: 'folder', folder: serving };
  }
  if (!NAME.test(asked)) return none('that is not the name of a model');
  const added = join(places.dataDir, modelFiles.models, asked);
  // Published models have no model.json. Whether it is a model at all the recogniser says.
  if (await isFolder(added)) return { kind: 'folder', folder: added };
  if (asked === SHIPPED_NAME) return { kind: 'folder', folder: SHIPPED };
  for (const folder of [serving, SHIPPED]) {
    if (!isUrl(folder) && ((await nameOf(folder)) ?? basename(resolve(folder))) === asked)
      return { kind: 'folder', folder };
  }
  return none(`no model of the name ${asked} is installed`);
}

/** A folder or a URL. ASR_MODEL outweighs what was chosen. */
async function servingModel({ dataDir, asrModel }: ModelPlaces): Promise<string> {
  const chosen = asrModel ?? parseModelStatus(await textOf(join(dataDir, modelFiles.status)))?.use ?? null;
  if (chosen === null) return SHIPPED;
  // A relative ASR_MODEL is relative to where everything was started, a relative choice to DATA_DIR.
  return asrModel !== null || isUrl(chosen) || isAbsolute(chosen) ? chosen : join(dataDir, chosen);
}

const none = (detail: string): ModelFolder => ({ kind: 'none', detail });
const isUrl = (text: string): boolean => /^[a-z][a-z0-9+.-]*:\/\//i.test(text);

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (_notThere) {
    return false;
  }
}

/** What model.json calls the model; null when it does not say: then the model is called as its folder is. */
async function nameOf(folder: string): Promise<string | null> {
  try {
    const { name } = JSON.parse(await textOf(join(folder, 'model.json'))) as { name?: unknown };
    return typeof name === 'string' ? name : null;
  } catch (_notJson) {
    return null;
  }
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return '';
    throw error;
  }
}
