import { readFileSync, mkdtempSync, rmSync } from 'node:fs';
import { execFileSync, spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Resampler } from '../../src/dsp/resample.ts';

export const canSpeak = spawnSync('flite', ['--version']).error === undefined;
export const hasFfmpeg = spawnSync('ffmpeg', ['-version']).error === undefined;

/** What ffmpeg writes to its standard output. */
export const ffmpeg = (args: readonly string[], input?: Uint8Array): Buffer =>
  execFileSync('ffmpeg', ['-nostdin', '-v', 'error', ...args, 'pipe:1'], {
    ...(input === undefined ? {} : { input }),
    maxBuffer: 1 << 28,
  });

export const samplesOf = (bytes: Uint8Array): Int16Array =>
  new Int16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + (bytes.length & ~1)));

export const bytesOf = (pcm: Int16Array): Buffer => Buffer.from(pcm.buffer, pcm.byteOffset, 2 * pcm.length);

/** Numbers 0 ≤ x < 1, the same for the same seed (Marsaglia's xorshift). */
export function randomOf(seed: number): () => number {
  let x = seed | 0 || 1;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) / 2 ** 32;
  };
}

export const sine = (hz: number, rate: number, samples: number, amplitude = 8000): Int16Array =>
  Int16Array.from({ length: samples }, (_, i) =>
    Math.round(amplitude * Math.sin((2 * Math.PI * hz * i) / rate)),
  );

export function rms(pcm: ArrayLike<number>, from = 0, to = pcm.length): number {
  let sum = 0;
  for (let i = from; i < to; i++) sum += pcm[i]! ** 2;
  return Math.sqrt(sum / (to - from));
}

export const decibels = (ratio: number): number => 20 * Math.log10(Math.max(ratio, 1e-9));

/** Signal to noise in dB of heard against said, at the delay (0 … maxDelay samples) that fits best. */
export function signalToNoise(said: Int16Array, heard: Int16Array, maxDelay: number): number {
  let best = -Infinity;
  for (let delay = 0; delay <= maxDelay; delay++) {
    const length = Math.min(said.length, heard.length - delay);
    let signal = 1;
    let noise = 1;
    for (let i = 0; i < length; i++) {
      signal += said[i]! ** 2;
      noise += (said[i]! - heard[i + delay]!) ** 2;
    }
    best = Math.max(best, 10 * Math.log10(signal / noise));
  }
  return best;
}

const spoken = new Map<string, Int16Array>();

/** A sentence by one of flite's voices. */
export function speak(voice: 'slt' | 'kal16' | 'awb' | 'rms', text: string, rate: 8000 | 16000): Int16Array {
  const key = `${voice}:${rate}:${text}`;
  const known = spoken.get(key);
  if (known !== undefined) return known;
  const folder = mkdtempSync(join(tmpdir(), 'em-flite-'));
  try {
    const path = join(folder, 'speech.wav');
    execFileSync('flite', ['-voice', voice, '-t', text, '-o', path]);
    const wav = readFileSync(path);
    const said = samplesOf(wav.subarray(44));
    const pcm = rate === wav.readUInt32LE(24) ? said : resampled(said, wav.readUInt32LE(24), rate);
    spoken.set(key, pcm);
    return pcm;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function resampled(pcm: Int16Array, from: number, to: 8000 | 16000): Int16Array {
  const resampler = new Resampler(from, to);
  const out = new Int16Array(resampler.outputFor(pcm.length));
  resampler.process(pcm, pcm.length, out);
  return out;
}
