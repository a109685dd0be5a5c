import { ALAW_TO_LINEAR, linearToAlaw } from '@earshot/contracts';
import { throughMulaw } from '../speech/sound.ts';
import type { Utterance } from '../speech/voices.ts';
import type { Chance } from './chance.ts';
import { NOISES, TONES } from './noises.ts';
import { PIECES, play } from './music.ts';

const RATE = 8000;

/** Ticks of 1/8000 s. */
export interface Word {
  readonly start: number;
  readonly end: number;
}

/** A channel: what it sounds like, and when words are spoken on it. */
export interface Tape {
  readonly pcm: Int16Array;
  readonly words: readonly Word[];
  readonly text: string;
}

/** What is done to a tape of clean speech. */
export type Condition = (tape: Tape, chance: Chance) => Int16Array;

/** One side of a conversation: its sentences, and between them the time in which the other side speaks. */
export function conversation(utterances: readonly Utterance[], chance: Chance): Tape {
  const parts: { at: number; pcm: Int16Array }[] = [];
  const words: Word[] = [];
  let at = 0;
  for (const { pcm, words: spoken } of utterances) {
    at += Math.round(RATE * (chance.next() < 0.3 ? chance.between(0.2, 0.9) : chance.between(1, 6)));
    parts.push({ at, pcm });
    for (const { startMs, endMs } of spoken ?? [])
      words.push({ start: at + Math.round(8 * startMs), end: at + Math.round(8 * endMs) });
    at += pcm.length;
  }
  const pcm = new Int16Array(at + 2 * RATE);
  for (const part of parts) pcm.set(part.pcm, part.at);
  return { pcm, words, text: utterances.map(({ text }) => text).join(' ') };
}

const clipped = (sample: number): number => Math.max(-32768, Math.min(32767, Math.round(sample)));

const rms = (samples: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < samples.length; i++) sum += samples[i]! * samples[i]!;
  return Math.sqrt(sum / Math.max(1, samples.length));
};

/** Of the speech itself, without its pauses. */
function speechRms({ pcm, words }: Tape): number {
  let sum = 0;
  let count = 0;
  for (const { start, end } of words) {
    for (let i = start; i < end; i++) sum += pcm[i]! * pcm[i]!;
    count += end - start;
  }
  return Math.sqrt(sum / Math.max(1, count));
}

/** Both at once, the speech so many decibels above the other. */
function mixed(tape: Tape, other: Float64Array, snrDb: number): Int16Array {
  const gain = (speechRms(tape) / Math.max(1e-9, rms(other))) * 10 ** (-snrDb / 20);
  return tape.pcm.map((sample, i) => clipped(sample + gain * other[i]!));
}

/** At so many decibels below full scale, as root mean square of where it sounds. */
function atLevel(sound: Float64Array, dbfs: number): Int16Array {
  const loud = sound.filter((sample) => Math.abs(sample) > 1e-4);
  const gain = (32768 * 10 ** (dbfs / 20)) / Math.max(1e-9, rms(loud));
  return Int16Array.from(sound, (sample) => clipped(gain * sample));
}

const quieter = (pcm: Int16Array, decibels: number): Int16Array =>
  pcm.map((sample) => clipped(sample * 10 ** (-decibels / 20)));

/** A line's own noise, so many decibels below full scale. */
const withLineNoise = (pcm: Int16Array, dbfs: number, chance: Chance): Int16Array =>
  pcm.map((sample) => clipped(sample + 32768 * 10 ** (dbfs / 20) * chance.gauss()));

/** An echoing room: a tail of 250 ms. */
function inRoom(pcm: Int16Array, chance: Chance): Int16Array {
  const taps = Array.from({ length: 60 }, () => {
    const delay = Math.floor(chance.between(20, 2000));
    return { delay, gain: 0.25 * chance.gauss() * Math.exp(-delay / 700) };
  });
  return pcm.map((sample, i) => {
    let sum: number = sample;
    for (const { delay, gain } of taps) if (i >= delay) sum += gain * pcm[i - delay]!;
    return clipped(0.7 * sum);
  });
}

const throughAlaw = (pcm: Int16Array): Int16Array => pcm.map((s) => ALAW_TO_LINEAR[linearToAlaw(s)]!);

/** Many people at once, none of whom is on the line. @param voices speech without pauses */
export function babble(
  voices: readonly Int16Array[],
  people: number,
  n: number,
  chance: Chance,
): Float64Array {
  const out = new Float64Array(n);
  for (let k = 0; k < people; k++) {
    const voice = chance.of(voices);
    const from = Math.floor(chance.next() * voice.length);
    for (let i = 0; i < n; i++) out[i]! += voice[(from + i) % voice.length]!;
  }
  return out;
}

export function conditions(background: readonly Int16Array[]): Readonly<Record<string, Condition>> {
  const all: Record<string, Condition> = {
    clean: ({ pcm }) => pcm,
    'mu-law': ({ pcm }) => throughMulaw(pcm),
    'A-law': ({ pcm }) => throughAlaw(pcm),
    'mu-law, line noise at -60 dBFS': ({ pcm }, chance) => throughMulaw(withLineNoise(pcm, -60, chance)),
    'mu-law, 20 dB quieter': ({ pcm }, chance) => throughMulaw(withLineNoise(quieter(pcm, 20), -72, chance)),
    'mu-law, room': ({ pcm }, chance) => throughMulaw(withLineNoise(inRoom(pcm, chance), -65, chance)),
  };
  for (const [kind, make] of Object.entries(NOISES)) {
    for (const snr of [15, 10, 5, 0])
      all[`${kind}, ${snr} dB`] = (tape, chance) =>
        throughMulaw(mixed(tape, make(tape.pcm.length, chance), snr));
  }
  for (const snr of [15, 10, 5])
    all[`babble, ${snr} dB`] = (tape, chance) =>
      throughMulaw(mixed(tape, babble(background, 6, tape.pcm.length, chance), snr));
  for (const snr of [15, 10])
    all[`music, ${snr} dB`] = (tape, chance) => {
      const piece = chance.of(Object.keys(PIECES));
      return throughMulaw(mixed(tape, play(piece, tape.pcm.length / RATE + 1, 7), snr));
    };
  return all;
}

/** Sounds without a word that anybody wants. */
export function withoutSpeech(
  background: readonly Int16Array[],
  seconds: number,
): Readonly<Record<string, (chance: Chance) => Int16Array>> {
  const n = seconds * RATE;
  const all: Record<string, (chance: Chance) => Int16Array> = {};
  for (const piece of Object.keys(PIECES)) {
    for (const dbfs of [-20, -32])
      all[`music: ${piece}, ${dbfs} dBFS`] = (chance) =>
        throughMulaw(atLevel(play(piece, seconds, Math.floor(chance.next() * 1e6)), dbfs));
  }
  for (const [kind, make] of Object.entries(TONES))
    all[`tone: ${kind}`] = (chance) =>
      throughMulaw(withLineNoise(atLevel(make(n, chance), -18), -68, chance));
  for (const [kind, make] of Object.entries(NOISES)) {
    for (const dbfs of [-30, -45])
      all[`noise: ${kind}, ${dbfs} dBFS`] = (chance) => throughMulaw(atLevel(make(n, chance), dbfs));
  }
  all['babble, -30 dBFS'] = (chance) => throughMulaw(atLevel(babble(background, 6, n, chance), -30));
  all['babble, -42 dBFS'] = (chance) => throughMulaw(atLevel(babble(background, 6, n, chance), -42));
  all['line noise at -60 dBFS'] = (chance) => throughMulaw(withLineNoise(new Int16Array(n), -60, chance));
  return all;
}
