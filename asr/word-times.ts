/**
 * How exact a model's word times are, and how steady its partials: `node asr/word-times.ts [model folder]` prints one JSON object.
 *
 * Sentences of a small grammar are spoken by flite, which prints where its phones end, and go through G.711 and the engine's
 * channels. `before`: errors of the words that were understood, with the settings of model.json; bias is the median, p50 and
 * p90 are of the absolute error, in ms. `after`: with `settings`, which are to be written into model.json. `partials`: for
 * each wordHoldMs, the share of shown words that changed later, and how long after a word's end it was shown (audio that the
 * model had heard by then; the time that the model takes comes on top).
 */
import { fileURLToPath } from 'node:url';
import { describeModel } from './src/models/folder.ts';
import type { ModelDescription } from './src/models/model.ts';
import { Bench } from './test/measure/transcribe.ts';
import {
  errorsIn,
  findTimes,
  partialsIn,
  recognised,
  spokenTest,
  summary,
  withTimes,
} from './test/measure/word-times.ts';

const SENTENCES = 96;
const SEED = 7;
const HOLDS_MS = [0, 60, 120, 180, 240, 300, 420];

const folder = process.argv[2] ?? fileURLToPath(new URL('./model', import.meta.url));
const model: ModelDescription = describeModel(folder);
const bench = await Bench.load(model);
const test = spokenTest(SENTENCES, SEED);
const before = summary(errorsIn(test, await recognised(bench, test)));
const settings = await findTimes(bench, test);
const after = summary(errorsIn(test, await recognised(bench, test, withTimes(model, settings))));
const partials = [];
for (const wordHoldMs of HOLDS_MS) {
  const held = withTimes(model, { ...settings, wordHoldMs });
  partials.push({ wordHoldMs, ...partialsIn(test, await recognised(bench, test, held)) });
}
console.log(
  JSON.stringify({
    measure: 'word-times',
    setup: {
      model: model.name,
      sentences: test.length,
      words: test.reduce((sum, { words }) => sum + words.length, 0),
      voices: [...new Set(test.map(({ voice }) => voice))],
      codecs: ['PCMU', 'PCMA'],
    },
    before,
    after,
    settings,
    partials,
  }),
);
