/** Finite impulse response filters by the window method, with Kaiser's window (Kaiser, 1974). */

/** The modified Bessel function of the first kind and order zero, by its power series. */
function bessel0(x: number): number {
  let term = 1;
  let sum = 1;
  for (let k = 1; term > sum * 1e-12; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

/** Kaiser's shape parameter for a stop-band attenuation of more than 50 dB. */
export const kaiserBeta = (attenuationDb: number): number => 0.1102 * (attenuationDb - 8.7);

/**
 * Kaiser's estimate of how many taps a filter needs.
 * @param transition width from pass-band to stop-band as a part of the sampling rate
 */
export const kaiserTaps = (attenuationDb: number, transition: number): number =>
  Math.ceil((attenuationDb - 8) / (2.285 * 2 * Math.PI * transition)) + 1;

/** @param x -1..1 across the window; 0 outside of it */
export const kaiser = (x: number, beta: number): number =>
  Math.abs(x) > 1 ? 0 : bessel0(beta * Math.sqrt(1 - x * x)) / bessel0(beta);

/** The ideal low-pass' impulse response. @param t in samples @param cutoff as a part of the sampling rate */
export const lowPass = (t: number, cutoff: number): number =>
  t === 0 ? 2 * cutoff : Math.sin(2 * Math.PI * cutoff * t) / (Math.PI * t);

/** @returns the nearest 16-bit sample */
export const toSample = (value: number): number =>
  value >= 32767 ? 32767 : value <= -32768 ? -32768 : Math.round(value);
