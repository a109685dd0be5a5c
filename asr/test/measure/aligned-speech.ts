import { ALAW_TO_LINEAR, ULAW_TO_LINEAR, linearToAlaw, linearToUlaw } from '@earshot/contracts';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toEightKilohertz } from '../support/speech.ts';

export interface SpokenWord {
  readonly text: string;
  readonly startMs: number;
  readonly endMs: number;
}

export interface AlignedSpeech {
  readonly voice: Voice;
  /** 8 kHz, before any codec. */
  readonly pcm: Int16Array;
  readonly words: readonly SpokenWord[];
}

export type Voice = 'kal16' | 'slt' | 'awb' | 'rms';
export const VOICES: readonly Voice[] = ['kal16', 'slt', 'awb', 'rms'];

/** Whether flite (Debian package flite) is there to speak. */
export const canSpeak = spawnSync('flite', ['--version']).error === undefined;

interface Phone {
  readonly name: string;
  readonly endMs: number;
}

/** `pau:0.224 m:0.252 …`: names and end times in seconds. */
function readPhones(printed: string): Phone[] {
  return printed
    .split(/\s+/u)
    .filter((item) => item.includes(':'))
    .map((item) => {
      const colon = item.lastIndexOf(':');
      return { name: item.slice(0, colon), endMs: 1000 * Number(item.slice(colon + 1)) };
    });
}

const phonesOfWord = new Map<string, readonly string[]>();

/** How flite says a word by itself. */
function dictionary(text: string): readonly string[] {
  let phones = phonesOfWord.get(text);
  if (phones === undefined) {
    const printed = execFileSync('flite', ['-voice', 'kal16', '-psdur', '-t', text, '-o', 'none']);
    phones = readPhones(printed.toString())
      .map(({ name }) => name)
      .filter((name) => name !== 'pau');
    phonesOfWord.set(text, phones);
  }
  return phones;
}

/**
 * A sentence spoken by one of flite's voices, with the times of its words. flite prints the ends of phones (-psdur): which of
 * them are a word's is found by aligning them with the phones of each word by itself (Levenshtein), as words sound a little
 * different in a sentence.
 * @param stretch 1: as the voice speaks; more: slower
 * @returns null when a word got no phone
 */
export function speakAligned(voice: Voice, sentence: string, stretch = 1): AlignedSpeech | null {
  const folder = mkdtempSync(join(tmpdir(), 'es-flite-'));
  try {
    const path = join(folder, 'speech.wav');
    const flags = [
      '-voice',
      voice,
      '-psdur',
      '--setf',
      `duration_stretch=${stretch}`,
      '-t',
      sentence,
      '-o',
      path,
    ];
    const phones = readPhones(execFileSync('flite', flags).toString());
    const words = alignWords(sentence.split(' '), phones);
    return words === null ? null : { voice, pcm: toEightKilohertz(readFileSync(path)), words };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function alignWords(texts: readonly string[], phones: readonly Phone[]): SpokenWord[] | null {
  const wanted = texts.flatMap((text, word) => dictionary(text).map((name) => ({ name, word })));
  const sounds = phones
    .map(({ name, endMs }, i) => ({ name, endMs, startMs: phones[i - 1]?.endMs ?? 0 }))
    .filter(({ name }) => name !== 'pau');
  const owners = alignedIndexes(
    wanted.map(({ name }) => name),
    sounds.map(({ name }) => name),
  ).map((at) => wanted[at]?.word ?? 0);
  const words: SpokenWord[] = [];
  for (const [word, text] of texts.entries()) {
    const first = owners.indexOf(word);
    if (first < 0) return null;
    const last = owners.lastIndexOf(word);
    words.push({ text, startMs: sounds[first]!.startMs, endMs: sounds[last]!.endMs });
  }
  return words;
}

/** For each item heard, the index of the wanted one that it stands for, rising; an added item goes with the one before. */
function alignedIndexes(wanted: readonly string[], heard: readonly string[]): number[] {
  const cost = Array.from({ length: wanted.length + 1 }, (_, i) =>
    Array.from({ length: heard.length + 1 }, (_, j) => (i === 0 ? j : j === 0 ? i : 0)),
  );
  for (let i = 1; i <= wanted.length; i++) {
    for (let j = 1; j <= heard.length; j++) {
      const swap = cost[i - 1]![j - 1]! + (wanted[i - 1] === heard[j - 1] ? 0 : 1.5);
      cost[i]![j] = Math.min(swap, cost[i - 1]![j]! + 1, cost[i]![j - 1]! + 1);
    }
  }
  const indexes = new Array<number>(heard.length).fill(0);
  let i = wanted.length;
  for (let j = heard.length; j > 0;) {
    const here = cost[i]![j]!;
    if (i > 0 && here === cost[i - 1]![j - 1]! + (wanted[i - 1] === heard[j - 1] ? 0 : 1.5)) {
      indexes[--j] = --i;
    } else if (i > 0 && here === cost[i - 1]![j]! + 1) i--;
    else indexes[--j] = Math.max(0, i - 1);
  }
  return indexes;
}

export type Law = 'mu' | 'a';

/** As a telephone has it. */
export const throughG711 = (pcm: Int16Array, law: Law): Int16Array =>
  law === 'mu'
    ? pcm.map((sample) => ULAW_TO_LINEAR[linearToUlaw(sample)]!)
    : pcm.map((sample) => ALAW_TO_LINEAR[linearToAlaw(sample)]!);

/** Silence before and after, so that no word lies at an edge. */
export function padded(pcm: Int16Array, beforeMs: number, afterMs: number): Int16Array {
  const out = new Int16Array(pcm.length + 8 * (beforeMs + afterMs));
  out.set(pcm, 8 * beforeMs);
  return out;
}

/** Adds noise that falls by 6 dB an octave above 500 Hz, as in rooms. @param snrDb against the speech's mean power */
export function withNoise(pcm: Int16Array, snrDb: number, seed: number): Int16Array {
  let state = seed >>> 0;
  let low = 0;
  const noise = Float64Array.from(pcm, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    low += 0.3 * (state / 2 ** 31 - 1 - low);
    return low;
  });
  const power = (samples: Iterable<number>): number => {
    let sum = 0;
    let count = 0;
    for (const sample of samples) {
      sum += sample * sample;
      count++;
    }
    return sum / Math.max(1, count);
  };
  const gain = Math.sqrt(power(pcm) / power(noise) / 10 ** (snrDb / 10));
  return pcm.map((sample, i) => Math.max(-32768, Math.min(32767, Math.round(sample + gain * noise[i]!))));
}
