import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { words, wordErrors } from '../../sip-tests/src/wer.ts';
import { progress } from './machine.ts';
import { dialogueSentences, heldOutSentences } from './speech/sentences.ts';
import { joined, silence, throughMulaw, withNoise } from './speech/sound.ts';
import { VOICES, type Voice } from './speech/voices.ts';
import { type Clip, readClips } from './wer/clips.ts';
import { recognise } from './wer/recognise.ts';
import { Tally } from './wer/tally.ts';

const SHIPPED_MODEL = fileURLToPath(new URL('../../asr/model', import.meta.url));
const NOISE_DB = 15;
/** As a caller is silent before and after. */
const BEFORE_MS = 400;
const AFTER_MS = 800;

type Condition = (pcm: Int16Array, seed: number) => Int16Array;
const CONDITIONS: Readonly<Record<string, Condition>> = {
  clean: (pcm) => pcm,
  mulaw: throughMulaw,
  noise15dB: (pcm, seed) => throughMulaw(withNoise(pcm, NOISE_DB, seed)),
};

/** What is to be recognised. */
interface Item {
  readonly group: string;
  readonly condition: string;
  readonly text: string;
  readonly pcm: Int16Array;
}

/** Word error rates through the engine, by voice and condition, and on recordings of people. */
export async function wer(args: string[]): Promise<object> {
  const { values } = parseArgs({
    args,
    options: {
      model: { type: 'string', default: SHIPPED_MODEL },
      /** Folder of recordings of people with SOURCES.txt. */
      clips: { type: 'string' },
      /** At most so many sentences of each kind. */
      sentences: { type: 'string', default: '1000' },
      /** Names that voices begin with, such as `flite:slt,festival`. */
      voices: { type: 'string', default: '' },
      /** Silence is left out as the live path does it. */
      gated: { type: 'boolean', default: false },
    },
  });
  const count = Number(values.sentences);
  const kinds = {
    'held-out': heldOutSentences().slice(0, count),
    dialogues: dialogueSentences().slice(0, count),
  };
  const wanted = VOICES.filter(({ name }) =>
    values.voices.split(',').some((start) => name.startsWith(start)),
  );
  const voices = wanted.filter(({ installed }) => installed);
  const items: Item[] = [];
  for (const voice of voices) {
    progress(`wer: ${voice.name} speaks`);
    for (const [kind, texts] of Object.entries(kinds)) items.push(...(await spoken(voice, kind, texts)));
  }
  const clips = values.clips === undefined ? null : await readClips(values.clips);
  for (const clip of clips?.clips ?? []) items.push(...conditionsOf('people', clip.text, clip.pcm, 1));
  progress(`wer: recognising ${items.length} recordings`);
  const { model, texts, audioSeconds } = await recognise(
    values.model,
    values.gated,
    items.map(({ pcm }) => pcm),
  );
  const tally = new Map<string, Tally>();
  for (const [at, { group, condition, text }] of items.entries()) {
    const key = `${group}|${condition}`;
    const one = tally.get(key) ?? new Tally();
    one.add(wordErrors(text, texts[at]!));
    tally.set(key, one);
  }
  const figure = (group: string): object =>
    Object.fromEntries(
      Object.keys(CONDITIONS).flatMap((condition) => {
        const one = tally.get(`${group}|${condition}`);
        return one === undefined ? [] : [[condition, one.figure]];
      }),
    );
  const together = (training: Voice['training'], kind: string): object =>
    Object.fromEntries(
      Object.keys(CONDITIONS).map((condition) => {
        const sum = new Tally();
        for (const voice of voices.filter((one) => one.training === training))
          sum.join(tally.get(`${voice.name}, ${kind}|${condition}`));
        return [condition, sum.figure];
      }),
    );
  return {
    setup: {
      model,
      gated: values.gated,
      sentences: Object.fromEntries(Object.entries(kinds).map(([kind, { length }]) => [kind, length])),
      notInstalled: wanted.filter(({ installed }) => !installed).map(({ name }) => name),
      audioSeconds: Math.round(audioSeconds),
      noise: `${NOISE_DB} dB below the speech, before mu-law`,
    },
    together: Object.fromEntries(
      (['trained', 'held-out'] as const).map((training) => [
        `${training} voices`,
        Object.fromEntries(Object.keys(kinds).map((kind) => [kind, together(training, kind)])),
      ]),
    ),
    voices: Object.fromEntries(
      voices.map(({ name, training }) => [
        name,
        {
          training,
          ...Object.fromEntries(Object.keys(kinds).map((kind) => [kind, figure(`${name}, ${kind}`)])),
        },
      ]),
    ),
    people:
      clips === null
        ? null
        : {
            together: figure('people'),
            skipped: clips.skipped,
            clips: clips.clips.map((clip) => clipFigure(clip, items, texts)),
          },
  };
}

async function spoken(voice: Voice, kind: string, texts: readonly string[]): Promise<Item[]> {
  const utterances = await voice.speak(texts);
  return utterances.flatMap((utterance, i) =>
    utterance === null ? [] : conditionsOf(`${voice.name}, ${kind}`, utterance.text, utterance.pcm, i + 1),
  );
}

function conditionsOf(group: string, text: string, pcm: Int16Array, seed: number): Item[] {
  const padded = joined(silence(BEFORE_MS), pcm, silence(AFTER_MS));
  return Object.entries(CONDITIONS).map(([condition, through]) => ({
    group,
    condition,
    text,
    pcm: through(padded, seed),
  }));
}

function clipFigure({ file, text }: Clip, items: readonly Item[], texts: readonly string[]): object {
  const at = items.findIndex(
    (item) => item.group === 'people' && item.condition === 'mulaw' && item.text === text,
  );
  const tally = new Tally();
  tally.add(wordErrors(text, texts[at] ?? ''));
  return { file, ...tally.figure, reference: words(text).join(' '), recognised: texts[at] ?? '' };
}
