import { WaveformConcealment } from '../../src/codec/waveform-concealment.ts';
import { bandPower, powerSpectrum } from './spectrum.ts';
import { randomOf } from './audio.ts';

const RATE = 8000;

/** Which packets are lost: two-state chain (Gilbert) with this loss and mean burst length; the first ten arrive. */
export function lossesOf(packets: number, loss: number, burst: number, seed: number): boolean[] {
  const random = randomOf(seed);
  const begins = loss / burst / (1 - loss);
  let lost = false;
  return Array.from({ length: packets }, (_, n) => {
    lost = lost ? random() >= 1 / burst : random() < begins;
    return n >= 10 && lost;
  });
}

/** How a method hears speech of which packets of 20 ms are lost; false entries arrive. */
export type Method = (said: Int16Array, lost: readonly boolean[]) => Int16Array;

export const concealed: Method = (said, lost) => {
  const concealment = new WaveformConcealment();
  const samples = RATE / 50;
  const heard = said.slice();
  const packet = new Int16Array(samples);
  lost.forEach((gone, n) => {
    if (gone) {
      concealment.conceal(packet, samples);
    } else {
      packet.set(said.subarray(n * samples, (n + 1) * samples));
      concealment.heard(packet, samples);
    }
    heard.set(packet, n * samples);
  });
  return heard;
};

export const silenced: Method = (said, lost) =>
  said.map((sample, i) => (lost[Math.floor((50 * i) / RATE)] === true ? 0 : sample));

/** The last 20 ms over and over, fading within 60 ms: what this project did before. */
export const repeated: Method = (said, lost) => {
  const samples = RATE / 50;
  const heard = said.slice();
  let good = 0;
  lost.forEach((gone, n) => {
    if (!gone) good = n;
    else {
      for (let i = 0; i < samples; i++) {
        const since = (n - good - 1) * samples + i;
        const gain = Math.max(0, 1 - since / (3 * samples));
        heard[n * samples + i] = said[good * samples + i]! * gain;
      }
    }
  });
  return heard;
};

/** Logarithms (dB) of the power in bands of equal width on the mel scale, over 32 ms. */
function melBands(pcm: Int16Array, at: number): number[] {
  const spectrum = powerSpectrum(pcm, at, RATE / 31.25);
  const mel = (hz: number): number => 1127 * Math.log(1 + hz / 700);
  const hertz = (value: number): number => 700 * (Math.exp(value / 1127) - 1);
  const bands = 20;
  const width = (mel(RATE / 2) - mel(100)) / bands;
  return Array.from({ length: bands }, (_, b) => {
    const power = bandPower(spectrum, RATE, hertz(mel(100) + b * width), hertz(mel(100) + (b + 1) * width));
    return 10 * Math.log10(power + 1e4); // about the power of G.711's own noise
  });
}

/** Mean log-spectral distance in dB, over the windows that a loss touches. */
export function spectralDistance(said: Int16Array, heard: Int16Array, lost: readonly boolean[]): number {
  const step = RATE / 100;
  let sum = 0;
  let windows = 0;
  for (let at = 0; at + 3 * step < said.length; at += step) {
    const packet = (i: number): boolean => lost[Math.floor((50 * i) / RATE)] === true;
    if (!packet(at) && !packet(at + 3 * step)) continue;
    const a = melBands(said, at);
    const b = melBands(heard, at);
    sum += Math.sqrt(a.reduce((total, value, k) => total + (value - b[k]!) ** 2, 0) / a.length);
    windows++;
  }
  return sum / windows;
}

/** Mean segmental signal to noise in dB (-10 … 35) of the lost packets in which somebody spoke. */
export function segmentalSnr(said: Int16Array, heard: Int16Array, lost: readonly boolean[]): number {
  const samples = RATE / 50;
  let sum = 0;
  let packets = 0;
  lost.forEach((gone, n) => {
    if (!gone) return;
    let signal = 0;
    let noise = 1;
    for (let i = n * samples; i < (n + 1) * samples; i++) {
      signal += said[i]! ** 2;
      noise += (said[i]! - heard[i]!) ** 2;
    }
    if (signal < 1e4 * samples) return; // under an amplitude of 100: a pause
    sum += Math.max(-10, Math.min(35, 10 * Math.log10(signal / noise)));
    packets++;
  });
  return sum / packets;
}

/**
 * By how many dB the high band (0.3 to 0.5 of the rate, where a click shows) around each border of a loss exceeds the most that
 * the speech has from 20 ms before the loss to 20 ms after it; a window is 8 ms.
 */
export function seamExcesses(said: Int16Array, heard: Int16Array, lost: readonly boolean[]): number[] {
  const samples = RATE / 50;
  const window = RATE / 125;
  const floor = 16 * window * window; // an amplitude of about 15
  const high = (pcm: Int16Array, at: number): number =>
    bandPower(powerSpectrum(pcm, at - window / 2, window), RATE, 0.3 * RATE, 0.5 * RATE) + floor;
  const excesses: number[] = [];
  for (let n = 1; n < lost.length; n++) {
    if (!lost[n] || lost[n - 1]) continue;
    let end = n;
    while (lost[end]) end++;
    if (end >= lost.length) break;
    let most = 0;
    for (let at = (n - 1) * samples; at <= (end + 1) * samples; at += window / 4)
      most = Math.max(most, high(said, at));
    for (const seam of [n, end]) excesses.push(10 * Math.log10(high(heard, seam * samples) / most));
  }
  return excesses;
}
