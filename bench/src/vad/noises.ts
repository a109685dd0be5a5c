import type { Chance } from './chance.ts';

const RATE = 8000;

type Noise = (n: number, chance: Chance) => Float64Array;

/** Falls by 6 dB an octave above so many hertz. */
function lowPassed(n: number, cornerHz: number, chance: Chance): Float64Array {
  const share = 1 - Math.exp((-2 * Math.PI * cornerHz) / RATE);
  let low = 0;
  return Float64Array.from({ length: n }, () => (low += share * (chance.gauss() - low)));
}

/** Kinds of background that have no voices and no tune in them. */
export const NOISES: Readonly<Record<string, Noise>> = {
  white: (n, chance) => Float64Array.from({ length: n }, () => chance.gauss()),
  room: (n, chance) => lowPassed(n, 450, chance),
  car: (n, chance) => {
    const rumble = lowPassed(n, 90, chance);
    const wind = lowPassed(n, 900, chance);
    const turning = chance.between(28, 42);
    return rumble.map(
      (low, i) => low + 0.12 * wind[i]! + 0.02 * Math.sin((2 * Math.PI * turning * 2 * i) / RATE),
    );
  },
  /** Vehicles pass by: swells of some seconds. */
  street: (n, chance) => {
    const out = lowPassed(n, 600, chance);
    let level = 0.5;
    let goal = 0.5;
    for (let i = 0; i < n; i++) {
      if (i % RATE === 0) goal = 10 ** (chance.between(-18, 0) / 20);
      level += (goal - level) / (0.8 * RATE);
      out[i]! *= level;
    }
    return out;
  },
  /** A ventilator: noise with the hum of its motor and the beat of its blades. */
  fan: (n, chance) =>
    lowPassed(n, 1200, chance).map(
      (low, i) =>
        low * (1 + 0.3 * Math.sin((2 * Math.PI * 11 * i) / RATE)) +
        0.12 * Math.sin((2 * Math.PI * 120 * i) / RATE) +
        0.06 * Math.sin((2 * Math.PI * 240 * i) / RATE),
    ),
  /** Keys of a keyboard, in bursts. */
  typing: (n, chance) => {
    const out = lowPassed(n, 450, chance).map((low) => 0.15 * low);
    for (
      let at = 0;
      at < n;
      at += Math.round(RATE * (chance.next() < 0.1 ? chance.between(0.6, 2) : chance.between(0.08, 0.25)))
    ) {
      const level = chance.between(1, 4);
      const decay = chance.between(150, 500);
      for (let i = 0; i < 400 && at + i < n; i++)
        out[at + i]! += level * chance.gauss() * Math.exp((-decay * i) / RATE);
    }
    return out;
  },
};

const tone = (t: number, hertz: readonly number[]): number =>
  hertz.reduce((sum, one) => sum + Math.sin(2 * Math.PI * one * t), 0);
const cadence =
  (hertz: readonly number[], onOffS: readonly number[]): Noise =>
  (n) => {
    const period = onOffS.reduce((sum, one) => sum + one, 0);
    return Float64Array.from({ length: n }, (_, i) => {
      let at = (i / RATE) % period;
      for (const [k, seconds] of onOffS.entries()) {
        if (at < seconds) return k % 2 === 0 ? tone(i / RATE, hertz) : 0;
        at -= seconds;
      }
      return 0;
    });
  };

const KEYS_LOW = [697, 770, 852, 941];
const KEYS_HIGH = [1209, 1336, 1477, 1633];

/** What telephone networks say without words (ITU-T E.180 supplement 2, Q.23, T.30). */
export const TONES: Readonly<Record<string, Noise>> = {
  'ring-back, North America': cadence([440, 480], [2, 4]),
  'ring-back, Europe': cadence([425], [1, 4]),
  'ring-back, United Kingdom': cadence([400, 450], [0.4, 0.2, 0.4, 2]),
  'busy, Europe': cadence([425], [0.48, 0.48]),
  'dial tone, North America': cadence([350, 440], [60]),
  DTMF: (n, chance) => {
    const out = new Float64Array(n);
    for (let at = 0; at < n; at += Math.round(RATE * chance.between(0.15, 0.5))) {
      const pair = [chance.of(KEYS_LOW), chance.of(KEYS_HIGH)];
      for (let i = 0; i < 0.1 * RATE && at + i < n; i++) out[at + i] = tone(i / RATE, pair);
    }
    return out;
  },
  'fax calling': cadence([1100], [0.5, 3]),
};
