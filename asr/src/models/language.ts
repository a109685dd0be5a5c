import { EarshotError } from '@earshot/contracts';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { LanguageModel } from '../decode/language-model.ts';
import { type Ngrams, readNgrams } from '../decode/ngram-file.ts';
import { requireFile } from './folder-files.ts';
import type { LanguageSettings, ModelDescription, Settings } from './model.ts';

/** Each with the least and the greatest value that makes sense. */
const WEIGHTS = {
  weight: [0, 5],
  insertion: [-20, 20],
  letterCost: [0, 20],
  unknownCost: [-20, 50],
} as const;

/**
 * model.json's `languageModel`, or null without one.
 * @throws EarshotError MODEL_MISSING, MODEL_INVALID
 */
export function languageSettings(folder: string, settings: Settings): LanguageSettings | null {
  const value = settings['languageModel'];
  if (value === undefined || value === null) return null;
  const given = value as Readonly<Record<string, unknown>>;
  const { file } = given;
  // A name, not a path: nothing outside of the folder.
  if (typeof file !== 'string' || file === '' || basename(file) !== file) {
    throw new EarshotError('MODEL_INVALID', 'model.json: languageModel.file is not the name of a file');
  }
  requireFile(folder, file);
  const number = (name: keyof typeof WEIGHTS): number => {
    const [least, most] = WEIGHTS[name];
    const weight = given[name];
    if (typeof weight !== 'number' || !(weight >= least && weight <= most)) {
      throw new EarshotError(
        'MODEL_INVALID',
        `model.json: languageModel.${name} is not a number from ${least} to ${most}`,
      );
    }
    return weight;
  };
  return {
    file,
    weight: number('weight'),
    insertion: number('insertion'),
    letterCost: number('letterCost'),
    unknownCost: number('unknownCost'),
  };
}

/** By what describes them: all channels of a process share one. */
const loaded = new WeakMap<LanguageSettings, LanguageModel>();

/**
 * A model's language model, read once for all its channels; null when it has none, or gives no log-probabilities of all tokens.
 * @throws EarshotError MODEL_MISSING, MODEL_INVALID
 */
export function languageModelOf(model: ModelDescription): LanguageModel | null {
  const settings = model.languageModel;
  if (settings === null || model.repeats === 'each') return null;
  let language = loaded.get(settings);
  if (language === undefined) {
    const ngrams = readFile(model.folder, settings.file);
    try {
      language = new LanguageModel(ngrams, settings, model.pieces);
    } catch (error) {
      throw new EarshotError('MODEL_INVALID', `${settings.file}: ${(error as Error).message}`, {
        cause: error,
      });
    }
    loaded.set(settings, language);
  }
  return language;
}

function readFile(folder: string, file: string): Ngrams {
  const read = readNgrams(readFileSync(requireFile(folder, file)));
  if (!read.ok) throw new EarshotError('MODEL_INVALID', `${file}: ${read.fault}`);
  return read.ngrams;
}
