import { EarshotError } from '@earshot/contracts';
import { readFileSync } from 'node:fs';
import { requireFile } from './folder-files.ts';
import type { ModelDescription, ModelFamily, Recogniser } from './model.ts';
import { tOne } from './t-one.ts';

/** The loaders there are. A new family is one file and one entry here. */
const families: readonly ModelFamily[] = [tOne];

/**
 * Reads a model's folder: model.json (its `format` chooses the loader) and what that loader wants.
 * @throws EarshotError MODEL_MISSING when a file is not there, MODEL_INVALID when it is not what it should be
 */
export function describeModel(folder: string): ModelDescription {
  const settings = readSettings(requireFile(folder, 'model.json'));
  const family = families.find(({ format }) => format === settings['format']);
  if (family === undefined) {
    const known = families.map(({ format }) => `"${format}"`).join(', ');
    throw new EarshotError('MODEL_INVALID', `model.json: format is none of ${known}`);
  }
  return family.describe(folder, settings);
}

/** @throws EarshotError MODEL_INVALID that names the tensor or file */
export async function loadModel(
  description: ModelDescription,
  maxChannels: number,
  sizes: readonly number[],
): Promise<Recogniser> {
  const family = families.find(({ format }) => format === description.format);
  if (family === undefined) throw new EarshotError('MODEL_INVALID', 'model.json: format is unknown');
  return family.load(description, maxChannels, sizes);
}

function readSettings(path: string): Readonly<Record<string, unknown>> {
  let settings: unknown;
  try {
    settings = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new EarshotError('MODEL_INVALID', `model.json: ${(error as Error).message}`, { cause: error });
  }
  if (typeof settings !== 'object' || settings === null || Array.isArray(settings)) {
    throw new EarshotError('MODEL_INVALID', 'model.json: not an object');
  }
  return settings as Readonly<Record<string, unknown>>;
}
