import { Chance } from './chance.ts';

const RATE = 8000;

/** Semitones above A2 (110 Hz) of a major scale. */
const SCALE = [0, 2, 4, 5, 7, 9, 11, 12, 14, 16, 17, 19];
const hz = (semitone: number): number => 110 * 2 ** (semitone / 12);

/** How an instrument sounds after so many seconds of a note that lasts `length` seconds. */
type Tone = (t: number, pitchHz: number, length: number) => number;

const partials = (t: number, pitchHz: number, amounts: readonly number[]): number => {
  let sum = 0;
  for (const [i, amount] of amounts.entries()) {
    if (pitchHz * (i + 1) < 3800) sum += amount * Math.sin(2 * Math.PI * pitchHz * (i + 1) * t);
  }
  return sum;
};
const attack = (t: number, seconds: number): number => Math.min(1, t / seconds);
const release = (t: number, length: number, seconds: number): number =>
  Math.max(0, Math.min(1, (length - t) / seconds));

const piano: Tone = (t, pitch, length) =>
  attack(t, 0.005) *
  Math.exp(-3 * t) *
  release(t, length, 0.05) *
  partials(t, pitch, [1, 0.6, 0.4, 0.2, 0.15, 0.1]);
const organ: Tone = (t, pitch, length) =>
  attack(t, 0.03) * release(t, length, 0.03) * partials(t, pitch, [1, 0.8, 0.1, 0.5, 0, 0.2, 0, 0.3]);
const strings: Tone = (t, pitch, length) => {
  const bent = t + (0.004 / 5.5) * Math.sin(2 * Math.PI * 5.5 * t) * attack(t, 0.3);
  return (
    attack(t, 0.15) *
    release(t, length, 0.2) *
    partials(bent, pitch, [1, 0.7, 0.5, 0.45, 0.3, 0.25, 0.2, 0.15])
  );
};
const bell: Tone = (t, pitch) =>
  Math.exp(-2.2 * t) *
  Math.sin(2 * Math.PI * pitch * t + 3 * Math.exp(-4 * t) * Math.sin(2 * Math.PI * 2.76 * pitch * t));
const bass: Tone = (t, pitch, length) =>
  attack(t, 0.01) * Math.exp(-2 * t) * release(t, length, 0.05) * partials(t, pitch, [1, 0.5, 0.3, 0.2]);

function add(out: Float64Array, atS: number, length: number, level: number, pitch: number, tone: Tone): void {
  const from = Math.round(atS * RATE);
  for (let i = 0; i < length * RATE && from + i < out.length; i++)
    out[from + i]! += level * tone(i / RATE, pitch, length);
}

function drum(out: Float64Array, atS: number, kind: 'kick' | 'snare' | 'hat', chance: Chance): void {
  const from = Math.round(atS * RATE);
  let before = 0;
  for (let i = 0; i < 0.25 * RATE && from + i < out.length; i++) {
    const t = i / RATE;
    const white = chance.gauss();
    if (kind === 'kick')
      out[from + i]! +=
        1.6 * Math.exp(-18 * t) * Math.sin(2 * Math.PI * (50 * t + 4 * (1 - Math.exp(-30 * t))));
    else if (kind === 'snare')
      out[from + i]! += Math.exp(-22 * t) * (0.6 * white + 0.5 * Math.sin(2 * Math.PI * 190 * t));
    else out[from + i]! += 0.35 * Math.exp(-45 * t) * (white - before);
    before = white;
  }
}

type Piece = (out: Float64Array, chance: Chance) => void;

const CHORDS = [
  [0, 4, 7],
  [9, 12, 16],
  [5, 9, 12],
  [7, 11, 14],
];

/** Hold music as telephones have it. None of these instruments is in the training. */
export const PIECES: Readonly<Record<string, Piece>> = {
  'piano, broken chords': (out, chance) => {
    const beat = 0.27;
    for (let n = 0; n * beat * RATE < out.length; n++) {
      const chord = CHORDS[Math.floor(n / 8) % 4]!;
      add(out, n * beat, 1.2, 0.5, hz(12 + chord[n % 3]!), piano);
      if (n % 8 === 0) add(out, n * beat, 2.1, 0.6, hz(chord[0]!), piano);
      if (n % 4 === 2 && chance.next() < 0.7) add(out, n * beat, 0.8, 0.6, hz(12 + chance.of(SCALE)), piano);
    }
  },
  'organ, held chords': (out, chance) => {
    for (let at = 0; at * RATE < out.length;) {
      const length = chance.between(0.9, 2.2);
      for (const tone of chance.of(CHORDS)) add(out, at, length, 0.4, hz(12 + tone), organ);
      at += length;
    }
  },
  'strings with a tune': (out, chance) => {
    for (let at = 0; at * RATE < out.length; at += 2)
      for (const tone of CHORDS[(at / 2) % 4]!) add(out, at, 2.1, 0.25, hz(12 + tone), strings);
    for (let at = 0; at * RATE < out.length;) {
      const length = chance.of([0.4, 0.4, 0.8, 1.2]);
      add(out, at, length * 1.1, 0.6, hz(24 + chance.of(SCALE)), strings);
      at += length;
    }
  },
  'band with drums': (out, chance) => {
    const beat = 0.26;
    for (let n = 0; n * beat * RATE < out.length; n++) {
      const chord = CHORDS[Math.floor(n / 8) % 4]!;
      if (n % 4 === 0) drum(out, n * beat, 'kick', chance);
      if (n % 4 === 2) drum(out, n * beat, 'snare', chance);
      drum(out, n * beat, 'hat', chance);
      if (n % 2 === 0) add(out, n * beat, 0.5, 0.8, hz(chord[0]! - 12), bass);
      if (n % 8 === 0) for (const tone of chord) add(out, n * beat, 2, 0.2, hz(12 + tone), organ);
      if (chance.next() < 0.4) add(out, n * beat, 0.5, 0.4, hz(24 + chance.of(SCALE)), piano);
    }
  },
  'music box': (out, chance) => {
    for (let at = 0; at * RATE < out.length; at += chance.of([0.2, 0.2, 0.4]))
      add(out, at, 1.5, 0.4, hz(36 + chance.of(SCALE)), bell);
  },
};

/** @returns so many seconds of a piece, -1..1 */
export function play(piece: string, seconds: number, seed: number): Float64Array {
  const out = new Float64Array(Math.round(seconds * RATE));
  PIECES[piece]!(out, new Chance(seed));
  return out;
}
