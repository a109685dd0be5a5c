import { EarshotError } from '@earshot/contracts';
import { closeSync, existsSync, fstatSync, openSync, readFileSync, readSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Metadata } from './metadata.ts';
import type { Settings } from './model.ts';
import { type OnnxFile, readOnnx } from './onnx-file.ts';
import { choiceOr } from './settings.ts';

/** @returns the file's path @throws EarshotError MODEL_MISSING that names it */
export function requireFile(folder: string, name: string): string {
  const path = join(folder, name);
  if (!existsSync(path))
    throw new EarshotError('MODEL_MISSING', `${name} is not in the model's folder, ${folder}`);
  return path;
}

/**
 * model.json, or nothing if there is none.
 * @throws EarshotError MODEL_INVALID when it is no JSON object
 */
export function readSettings(folder: string): Settings {
  const path = join(folder, 'model.json');
  if (!existsSync(path)) return {};
  let settings: unknown;
  try {
    settings = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new EarshotError('MODEL_INVALID', `model.json: ${(error as Error).message}`, { cause: error });
  }
  if (typeof settings !== 'object' || settings === null || Array.isArray(settings)) {
    throw new EarshotError('MODEL_INVALID', 'model.json: not an object');
  }
  return settings as Settings;
}

/** What a network says of itself. @throws EarshotError MODEL_MISSING, MODEL_INVALID that names the file */
export function readNetwork(folder: string, file: string): OnnxFile & { readonly meta: Metadata } {
  const handle = openSync(requireFile(folder, file), 'r');
  try {
    const { size } = fstatSync(handle);
    const read = readOnnx({
      length: size,
      read: (at, into) => readSync(handle, into, 0, into.length, at),
    });
    if (!read.ok) throw new EarshotError('MODEL_INVALID', `${file}: ${read.fault}`);
    return { ...read.file, meta: new Metadata(file, read.file.metadata) };
  } finally {
    closeSync(handle);
  }
}

const networksIn = (folder: string): string[] =>
  existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => name.endsWith('.onnx'))
        .sort()
    : [];

/** Whether there is anything that may be a network. */
export const hasNetwork = (folder: string): boolean => networksIn(folder).length > 0;

/** The files of a transducer, or of a network that is alone. */
export type NetworkFiles =
  | { readonly encoder: string; readonly decoder: string; readonly joiner: string }
  | { readonly model: string };

const PRECISIONS = ['fp32', 'fp16', 'int8'];
const precisionOf = (file: string): string => /\.(int8|fp16)\.onnx$/.exec(file)?.[1] ?? 'fp32';

/**
 * Which of a folder's networks are meant. Published folders hold each of them in several precisions
 * (`encoder-epoch-99-avg-1.onnx` and `encoder-epoch-99-avg-1.int8.onnx`): model.json's `precision` chooses, fp32 before
 * fp16 before int8 without it; a part that is not there in the wanted precision is taken in another. `encoder`, `decoder`,
 * `joiner` and `model` in model.json name files outright.
 * @throws EarshotError MODEL_MISSING, MODEL_INVALID
 */
export function chooseNetworks(folder: string, settings: Settings): NetworkFiles {
  const files = networksIn(folder);
  const wanted = choiceOr(settings, 'precision', '', PRECISIONS);
  const choose = (role: string, candidates: readonly string[]): string => {
    const named = settings[role];
    if (typeof named === 'string') {
      // A name, not a path: nothing outside of the folder.
      if (files.includes(named)) return named;
      throw new EarshotError('MODEL_MISSING', `${named} is not in the model's folder, ${folder}`);
    }
    const order = [wanted, ...PRECISIONS];
    const best = order.find((precision) => candidates.some((file) => precisionOf(file) === precision));
    const left = candidates.filter((file) => precisionOf(file) === best);
    if (left.length === 1) return left[0]!;
    if (left.length === 0) {
      throw new EarshotError('MODEL_MISSING', `${role}.onnx is not in the model's folder, ${folder}`);
    }
    throw new EarshotError(
      'MODEL_INVALID',
      `the folder has several files for "${role}" (${left.join(', ')}): name one of them in model.json`,
    );
  };
  const part = (role: string): string[] => files.filter((file) => file.startsWith(role));
  if (part('encoder').length > 0 || typeof settings['encoder'] === 'string') {
    return {
      encoder: choose('encoder', part('encoder')),
      decoder: choose('decoder', part('decoder')),
      joiner: choose('joiner', part('joiner')),
    };
  }
  return {
    model: choose(
      'model',
      files.filter((file) => !/^(decoder|joiner)/.test(file)),
    ),
  };
}
