/**
 * What a model makes of recordings: `node asr/judge.ts MODEL_FOLDER SET…` prints one JSON object, for each set the texts, in order.
 * A set is a path: PATH.i16 holds 16-bit PCM at 8 kHz, PATH.json its parts as [{"offset", "samples"}]. Each goes through a channel
 * of the engine as one of a call does, with the model's language model if it has one. The training pipeline judges by it.
 */
import { readFileSync } from 'node:fs';
import { describeModel } from './src/models/folder.ts';
import { Bench } from './test/measure/transcribe.ts';

interface Part {
  readonly offset: number;
  readonly samples: number;
}

const [folder, ...sets] = process.argv.slice(2);
if (folder === undefined || sets.length === 0) {
  console.error('usage: node asr/judge.ts MODEL_FOLDER SET…');
  process.exit(2);
}
const bench = await Bench.load(describeModel(folder));
const texts: Record<string, string[]> = {};
for (const set of sets) {
  const bytes = readFileSync(`${set}.i16`);
  const pcm = new Int16Array(new Uint8Array(bytes).buffer);
  const parts = JSON.parse(readFileSync(`${set}.json`, 'utf8')) as Part[];
  const heard = await bench.transcribe(
    parts.map(({ offset, samples }) => ({ pcm: pcm.subarray(offset, offset + samples) })),
  );
  texts[set] = heard.map(({ words }) => words.map(({ text }) => text).join(' '));
}
console.log(JSON.stringify(texts));
