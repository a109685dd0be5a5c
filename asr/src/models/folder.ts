import { EarshotError } from '@earshot/contracts';
import { nemoCtc, zipformer2Ctc } from './ctc-families.ts';
import { chooseNetworks, hasNetwork, readNetwork, readSettings, requireFile } from './folder-files.ts';
import type { ModelDescription, ModelFamily, Recogniser, Settings } from './model.ts';
import { languageModelOf } from './language.ts';
import { nemoTransducer } from './nemo-transducer.ts';
import { tOne } from './t-one.ts';
import { zipformer2Transducer, zipformerTransducer } from './zipformer-transducer.ts';

/** The loaders there are. A new family is one file and one entry here. */
const families: readonly ModelFamily[] = [
  tOne,
  zipformer2Transducer,
  zipformer2Ctc,
  nemoCtc,
  nemoTransducer,
  zipformerTransducer,
];

/**
 * Reads a model's folder: the format that model.json names, or else the one that its files and its network's metadata show, and
 * what that loader wants.
 * @throws EarshotError MODEL_MISSING when a file is not there, MODEL_INVALID when it is not what it should be
 */
export function describeModel(folder: string): ModelDescription {
  const settings = readSettings(folder);
  const family =
    settings['format'] === undefined ? recognise(folder, settings) : familyOf(settings['format']);
  const model = family.describe(folder, settings);
  // A broken one is refused here, before anything else is loaded.
  languageModelOf(model);
  return model;
}

/** @throws EarshotError MODEL_INVALID that names the tensor or file */
export async function loadModel(
  description: ModelDescription,
  maxChannels: number,
  sizes: readonly number[],
): Promise<Recogniser> {
  return familyOf(description.format).load(description, maxChannels, sizes);
}

function familyOf(format: unknown): ModelFamily {
  const family = families.find((candidate) => candidate.format === format);
  if (family !== undefined) return family;
  const known = families.map((candidate) => `"${candidate.format}"`).join(', ');
  throw new EarshotError('MODEL_INVALID', `model.json: format is none of ${known}`);
}

function recognise(folder: string, settings: Settings): ModelFamily {
  // An empty folder lacks more than a network.
  if (!hasNetwork(folder)) requireFile(folder, 'model.json');
  const files = chooseNetworks(folder, settings);
  const transducer = 'encoder' in files;
  const main = transducer ? files.encoder : files.model;
  const { metadata } = readNetwork(folder, main);
  const family = families.find((candidate) => candidate.recognises({ transducer, metadata }));
  if (family !== undefined) return family;
  const type = metadata.get('model_type');
  throw new EarshotError(
    'MODEL_INVALID',
    type === undefined
      ? `${main}: its metadata is that of no streaming model known here (no model_type), and no model.json says the format`
      : `${main}: model_type "${type.slice(0, 60)}" is no streaming model known here`,
  );
}
