import { ULAW_TO_LINEAR, linearToUlaw } from '@earshot/contracts';

export const silence = (ms: number): Int16Array => new Int16Array(Math.round(ms * 8));

export function joined(...parts: readonly Int16Array[]): Int16Array {
  const out = new Int16Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

export const bytesOf = (pcm: Int16Array): Uint8Array =>
  new Uint8Array(pcm.buffer, pcm.byteOffset, pcm.byteLength);

export const mulaw = (pcm: Int16Array): Uint8Array => Uint8Array.from(pcm, linearToUlaw);
export const fromMulaw = (codes: Uint8Array): Int16Array =>
  Int16Array.from(codes, (code) => ULAW_TO_LINEAR[code]!);
/** As a telephone has it. */
export const throughMulaw = (pcm: Int16Array): Int16Array => fromMulaw(mulaw(pcm));

/** At one level: the loudest sample at half of full scale. */
export function levelled(pcm: Int16Array): Int16Array {
  const peak = pcm.reduce((most, sample) => Math.max(most, Math.abs(sample)), 1);
  const gain = 16384 / peak;
  return pcm.map((sample) => Math.round(sample * gain));
}

const power = (samples: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < samples.length; i++) sum += samples[i]! * samples[i]!;
  return sum / Math.max(1, samples.length);
};

/** Adds noise that falls with frequency, as in rooms. @param snrDb speech's mean power over the noise's */
export function withNoise(pcm: Int16Array, snrDb: number, seed: number): Int16Array {
  let state = seed >>> 0;
  let low = 0;
  const noise = Float64Array.from(pcm, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    low += 0.3 * (state / 2 ** 31 - 1 - low);
    return low;
  });
  const gain = Math.sqrt(power(pcm) / Math.max(1e-9, power(noise)) / 10 ** (snrDb / 10));
  return pcm.map((sample, i) => Math.max(-32768, Math.min(32767, Math.round(sample + gain * noise[i]!))));
}
