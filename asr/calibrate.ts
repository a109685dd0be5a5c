/**
 * Fits how a model's words come by their confidence: `node asr/calibrate.ts [model folder]` prints one JSON object, whose
 * `confidence` is to be written into model.json: of the words with confidence c a share c is right then.
 *
 * Sentences of a small grammar are spoken by flite, go through G.711 and noise of several strengths, and are recognised. The
 * mapping is fitted on every other sentence; `before` (the mapping that model.json has, or the geometric mean of the tokens'
 * probabilities) and `after` are of the rest.
 */
import { fileURLToPath } from 'node:url';
import { describeModel } from './src/models/folder.ts';
import { SNRS_DB, fit, judge, judgedWords } from './test/measure/calibration.ts';
import { Bench } from './test/measure/transcribe.ts';
import { spokenTest } from './test/measure/word-times.ts';

const SENTENCES = 192;
const SEED = 21;

const folder = process.argv[2] ?? fileURLToPath(new URL('./model', import.meta.url));
const model = describeModel(folder);
const bench = await Bench.load(model);
const test = spokenTest(SENTENCES, SEED);
const known = await judgedWords(
  bench,
  test.filter((_, i) => i % 2 === 0),
);
const unknown = await judgedWords(
  bench,
  test.filter((_, i) => i % 2 === 1),
);
const confidence = fit(known);
console.log(
  JSON.stringify({
    measure: 'confidence',
    setup: {
      model: model.name,
      sentences: test.length,
      snrDb: SNRS_DB.map((db) => (db === Infinity ? 'clean' : db)),
      fittedOnWords: known.length,
    },
    geometricMean: judge(unknown, null),
    before: judge(unknown, model.confidence ?? null),
    after: judge(unknown, confidence),
    confidence,
  }),
);
