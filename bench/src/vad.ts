import { EnergyJudge, ModelJudge, type SpeechJudge, VAD_FRAME_TICKS } from '@earshot/contracts';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { words as wordsOf, wordErrors } from '../../sip-tests/src/wer.ts';
import { progress } from './machine.ts';
import { dialogueSentences, heldOutSentences } from './speech/sentences.ts';
import { joined, silence } from './speech/sound.ts';
import { ALIGNED_VOICES } from './speech/voices.ts';
import { round } from './statistics.ts';
import { Chance } from './vad/chance.ts';
import {
  bitsOf,
  bitsOfWords,
  closedOf,
  GateTally,
  loudFrames,
  marksOf,
  openFrames,
  passedPercent,
} from './vad/judge.ts';
import { conditions, conversation, type Tape, withoutSpeech } from './vad/material.ts';
import { readClips } from './wer/clips.ts';
import { recognise } from './wer/recognise.ts';
import { Tally } from './wer/tally.ts';

const SHIPPED_MODEL = fileURLToPath(new URL('../../asr/model', import.meta.url));
/** Left out of the training of the detector. */
const VOICES = ['flite:slt', 'flite:rms'];
const BACKGROUND_VOICES = ['flite:kal16', 'flite:awb'];
const TURNS_A_TAPE = 20;
const DETECTORS: Record<string, () => SpeechJudge> = {
  energy: () => new EnergyJudge(),
  model: () => new ModelJudge(),
};
/** What is also recognised, with the gate and without. */
const RECOGNISED = [
  'mu-law',
  'mu-law, 20 dB quieter',
  'room, 10 dB',
  'white, 5 dB',
  'babble, 10 dB',
  'music, 10 dB',
];
const RECOGNISED_ALONE = [
  'music: ',
  'noise: white, -30',
  'babble, -30',
  'tone: ring-back, Europe',
  'tone: DTMF',
];

/** For recordings of people. */
const CLIP_CONDITIONS = ['mu-law', 'mu-law, 20 dB quieter', 'room, 10 dB', 'white, 10 dB', 'music, 15 dB'];

interface Recording {
  readonly condition: string;
  /** Null: nothing is said. */
  readonly text: string | null;
  readonly pcm: Int16Array;
  readonly bits: Readonly<Record<string, Uint8Array>>;
}

/** What speech detectors miss, cut, and save, and what that does to the words. */
export async function vad(args: string[]): Promise<object> {
  const { values } = parseArgs({
    args,
    options: {
      model: { type: 'string', default: SHIPPED_MODEL },
      /** Sentences that each voice says, at most. */
      sentences: { type: 'string', default: '120' },
      /** Only conditions whose name has this in it. */
      only: { type: 'string', default: '' },
      /** Seconds of each sound without speech. */
      seconds: { type: 'string', default: '120' },
      /** Recordings of each condition that are recognised, of TURNS_A_TAPE sentences each; 0: none. */
      recognised: { type: 'string', default: '2' },
      /** Also the model with other thresholds, such as '-5 -3'. */
      thresholds: { type: 'string', default: '' },
      /** Folder of recordings of people with SOURCES.txt. */
      clips: { type: 'string' },
    },
  });
  for (const threshold of values.thresholds.split(' ').filter(Boolean))
    DETECTORS[`model above ${threshold}`] = () => new ModelJudge(Number(threshold));
  const tapes = await speak(VOICES, Number(values.sentences));
  const background = (await speak(BACKGROUND_VOICES, 40)).map(({ pcm }) => withoutPauses(pcm));
  const kept: Recording[] = [];
  const keep = Number(values.recognised);

  const speech: Record<string, object> = {};
  const cost = new Cost();
  for (const [name, condition] of Object.entries(conditions(background))) {
    if (!name.includes(values.only)) continue;
    progress(`vad: ${name}`);
    const tallies = Object.fromEntries(
      [...Object.keys(DETECTORS), 'words'].map((key) => [key, new GateTally()]),
    );
    for (const [i, tape] of tapes.entries()) {
      const pcm = condition(tape, new Chance(i + 1));
      const bits = { ...judged(pcm, cost), words: bitsOfWords(pcm.length, tape.words) };
      for (const [key, one] of Object.entries(bits)) tallies[key]!.add(openFrames(one), tape.words);
      // Tapes of all voices, not the first ones only.
      if (keep > 0 && RECOGNISED.includes(name) && i % Math.ceil(tapes.length / keep) === 0)
        kept.push({ condition: name, text: tape.text, pcm, bits });
    }
    speech[name] = Object.fromEntries(Object.entries(tallies).map(([key, { figure }]) => [key, figure]));
  }

  const alone: Record<string, Record<string, number>> = {};
  for (const [name, make] of Object.entries(withoutSpeech(background, Number(values.seconds)))) {
    if (!name.includes(values.only)) continue;
    progress(`vad: ${name}`);
    const pcm = make(new Chance(11));
    const bits = judged(pcm, cost);
    alone[name] = Object.fromEntries(
      Object.entries(bits).map(([key, one]) => [key, passedPercent(openFrames(one))]),
    );
    if (keep > 0 && RECOGNISED_ALONE.some((start) => name.startsWith(start)))
      kept.push({ condition: name, text: null, pcm, bits });
  }
  const clips = values.clips === undefined ? null : await readClips(values.clips);
  const people: Record<string, Record<string, object>> = {};
  for (const [i, { file, text, pcm: clip }] of (clips?.clips ?? []).entries()) {
    const pcm = joined(silence(2000), clip, silence(2000));
    const loud = loudFrames(pcm);
    const tape = { pcm, words: [{ start: 16_000, end: 16_000 + clip.length }], text };
    for (const name of CLIP_CONDITIONS) {
      const sound = conditions(background)[name]!(tape, new Chance(i + 1));
      const bits = judged(sound, cost);
      people[`${file}, ${name}`] = Object.fromEntries(
        Object.entries(bits).map(([key, one]) => [
          key,
          { passedPercent: passedPercent(openFrames(one)), loudClosed: closedOf(openFrames(one), loud) },
        ]),
      );
      kept.push({ condition: `people, ${name}`, text, pcm: sound, bits });
    }
  }
  return {
    setup: {
      voices: VOICES,
      sentencesAVoice: Number(values.sentences),
      speechSeconds: Math.round(tapes.reduce((sum, { pcm }) => sum + pcm.length, 0) / 8000),
      secondsAlone: Number(values.seconds),
      words: 'a judge that knows when words are spoken: the limit for this pre-roll and hangover',
      missedPercent: 'words of which any sound lies outside the gate',
      alone: 'per cent of the time that the gate is open, after the first second',
    },
    microsecondsAFrame: cost.figure,
    speech,
    alone,
    people,
    recognition: kept.length === 0 ? null : await recognition(values.model, kept),
  };
}

class Cost {
  readonly #ms: Record<string, number> = {};
  #frames = 0;

  add(key: string, ms: number): void {
    this.#ms[key] = (this.#ms[key] ?? 0) + ms;
  }

  frames(count: number): void {
    this.#frames += count;
  }

  get figure(): object {
    return Object.fromEntries(
      Object.entries(this.#ms).map(([key, ms]) => [key, round((1000 * ms) / Math.max(1, this.#frames), 2)]),
    );
  }
}

function judged(pcm: Int16Array, cost: Cost): Record<string, Uint8Array> {
  cost.frames(Math.floor(pcm.length / VAD_FRAME_TICKS));
  return Object.fromEntries(
    Object.entries(DETECTORS).map(([key, make]) => {
      const startMs = performance.now();
      const bits = bitsOf(pcm, make());
      cost.add(key, performance.now() - startMs);
      return [key, bits];
    }),
  );
}

async function speak(names: readonly string[], sentences: number): Promise<Tape[]> {
  const texts = [...heldOutSentences(), ...dialogueSentences()].slice(0, sentences);
  const tapes: Tape[] = [];
  for (const voice of ALIGNED_VOICES.filter(({ name }) => names.includes(name))) {
    progress(`vad: ${voice.name} speaks`);
    const said = (await voice.speak(texts, true)).filter((one) => one !== null);
    for (let at = 0; at < said.length; at += TURNS_A_TAPE)
      tapes.push(conversation(said.slice(at, at + TURNS_A_TAPE), new Chance(tapes.length + 1)));
  }
  return tapes;
}

/** Loud parts only, for babble. */
function withoutPauses(pcm: Int16Array): Int16Array {
  const parts: Int16Array[] = [];
  for (let at = 0; at + 800 <= pcm.length; at += 800) {
    const part = pcm.subarray(at, at + 800);
    if (part.some((sample) => Math.abs(sample) > 500)) parts.push(part);
  }
  return joined(...parts);
}

/** Word errors of speech, and words a minute where there is none: with each gate, and without one. */
async function recognition(model: string, recordings: readonly Recording[]): Promise<object> {
  const result: Record<string, Record<string, object>> = {};
  for (const gate of ['none', ...Object.keys(DETECTORS)]) {
    progress(`vad: recognising ${recordings.length} recordings, gate: ${gate}`);
    const marks = gate === 'none' ? null : recordings.map(({ bits }) => marksOf(bits[gate]!));
    const { texts } = await recognise(
      model,
      false,
      recordings.map(({ pcm }) => pcm),
      marks,
    );
    const tallies = new Map<string, Tally>();
    for (const [i, { condition, text, pcm }] of recordings.entries()) {
      if (text === null) {
        const minutes = pcm.length / 8000 / 60;
        (result[condition] ??= {})[gate] = { wordsAMinute: round(wordsOf(texts[i]!).length / minutes, 1) };
        continue;
      }
      const tally = tallies.get(condition) ?? new Tally();
      tally.add(wordErrors(text, texts[i]!));
      tallies.set(condition, tally);
    }
    for (const [condition, { figure }] of tallies) (result[condition] ??= {})[gate] = figure;
  }
  return result;
}
