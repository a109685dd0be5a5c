import { execFile, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Phone, type SpokenWord, alignWords, readPhones } from './alignment.ts';
import { resample } from './resample.ts';
import { levelled } from './sound.ts';
import { readWav } from './wav.ts';

const run = promisify(execFile);

export interface Utterance {
  readonly text: string;
  /** 8 kHz, before any codec, at one level. */
  readonly pcm: Int16Array;
  /** When each word is spoken; null where the synthesiser does not tell. */
  readonly words: readonly SpokenWord[] | null;
}

/** A voice of one of Debian's synthesisers. */
export interface Voice {
  readonly name: string;
  /** `held-out`: no training pipeline of ours ever heard it. */
  readonly training: 'trained' | 'held-out';
  readonly installed: boolean;
  /** Null where the synthesiser gave no sound or, with `aligned`, a word got no phone. */
  speak(texts: readonly string[], aligned?: boolean): Promise<(Utterance | null)[]>;
}

const has = (program: string): boolean => spawnSync(program, ['--version']).error === undefined;
const hasFlite = has('flite');
const hasEspeak = has('espeak-ng');
const KED = '/usr/share/festival/voices/english/ked_diphone';
const hasKed = has('festival') && existsSync(KED);

/** Single letters in upper case, so that a synthesiser spells them; "a" and "i" stay words. */
export const spelled = (text: string): string =>
  text.replace(/\b[b-hj-z]\b/gu, (letter) => letter.toUpperCase());

async function withFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'es-voices-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function soundOf(path: string): Promise<Int16Array> {
  const { pcm, sampleRate } = readWav(await readFile(path));
  return levelled(resample(pcm, sampleRate, 8000));
}

const byThemselves = new Map<string, Promise<readonly string[]>>();

function phonesOf(word: string): Promise<readonly string[]> {
  let phones = byThemselves.get(word);
  if (phones === undefined) {
    phones = run('flite', ['-voice', 'kal16', '-psdur', '-t', spelled(word), '-o', 'none']).then(
      ({ stdout }) => readPhones(stdout).map(({ name }) => name),
    );
    byThemselves.set(word, phones);
  }
  return phones;
}

async function placed(text: string, phones: readonly Phone[]): Promise<SpokenWord[] | null> {
  const words = await Promise.all(
    text.split(' ').map(async (word) => ({ text: word, phones: await phonesOf(word) })),
  );
  return alignWords(words, phones);
}

const flite = (voice: string): Voice => ({
  name: `flite:${voice}`,
  training: 'trained',
  installed: hasFlite,
  speak: (texts, aligned = false) =>
    withFolder(async (folder) => {
      const path = join(folder, 'speech.wav');
      const spoken: (Utterance | null)[] = [];
      for (const text of texts) {
        const { stdout } = await run('flite', ['-voice', voice, '-psdur', '-t', spelled(text), '-o', path]);
        const words = aligned ? await placed(text, readPhones(stdout)) : null;
        spoken.push(aligned && words === null ? null : { text, pcm: await soundOf(path), words });
      }
      return spoken;
    }),
});

const espeak = (voice: string, training: Voice['training']): Voice => ({
  name: `espeak-ng:${voice}`,
  training,
  installed: hasEspeak,
  speak: (texts) =>
    withFolder(async (folder) => {
      const path = join(folder, 'speech.wav');
      const spoken: Utterance[] = [];
      for (const text of texts) {
        await run('espeak-ng', ['-v', voice, '-w', path, '--', spelled(text)]);
        spoken.push({ text, pcm: await soundOf(path), words: null });
      }
      return spoken;
    }),
});

/** All in one run: festival takes longer to start than to speak. */
const festival = (voice: string, installed: boolean): Voice => ({
  name: `festival:${voice}`,
  training: 'held-out',
  installed,
  speak: (texts) =>
    withFolder(async (folder) => {
      const path = (i: number): string => join(folder, `${i}.wav`);
      const lines = texts.map((text, i) => {
        const said = spelled(text).replace(/["\\]/gu, '');
        return `(utt.save.wave (SynthText "${said}") "${path(i)}" 'riff)`;
      });
      const script = join(folder, 'script.scm');
      // SynthText plays nothing: it only makes the utterance.
      await writeFile(script, [`(voice_${voice})`, ...lines].join('\n'));
      await run('festival', ['-b', script], { maxBuffer: 1 << 24 });
      return Promise.all(
        texts.map(async (text, i) =>
          existsSync(path(i)) ? { text, pcm: await soundOf(path(i)), words: null } : null,
        ),
      );
    }),
});

/** Those that know when they say a word. */
export const ALIGNED_VOICES: readonly Voice[] = ['kal16', 'slt', 'awb', 'rms'].map(flite);
export const VOICES: readonly Voice[] = [
  ...ALIGNED_VOICES,
  espeak('en-us', 'trained'),
  espeak('en-gb-scotland', 'held-out'),
  festival('ked_diphone', hasKed),
];
