/** Periods that are looked for: 200 Hz to 66 Hz. A higher voice is found by two or three of its periods. */
const SHORTEST_MS = 5;
const LONGEST_MS = 15;
/** The end of the audio, which is compared with what was a period before. */
const WINDOW_MS = 15;

/** How audio repeats itself at its end, by normalised autocorrelation (as ITU-T G.711 Appendix I does). */
export class PitchSearch {
  /** Samples of the period found last. */
  period: number;
  /** How alike the last two periods were: up to 1; under about 0.5 it was no voice. */
  strength = 0;
  /** Samples of the longest period. */
  readonly longest: number;
  readonly #shortest: number;
  readonly #window: number;
  /** At 16 kHz every second sample and period is looked at first. */
  readonly #coarse: number;

  constructor(rate: 8000 | 16000) {
    this.#shortest = (SHORTEST_MS * rate) / 1000;
    this.longest = (LONGEST_MS * rate) / 1000;
    this.#window = (WINDOW_MS * rate) / 1000;
    this.#coarse = rate / 8000;
    this.period = this.longest;
  }

  /** Sets period and strength. @param audio 30 ms or more; the period is that of its end */
  search(audio: Float64Array): void {
    const step = this.#coarse;
    this.strength = -1;
    this.#compare(audio, this.#shortest, this.longest, step);
    if (step === 1) return;
    const around = this.period;
    this.strength = -1;
    this.#compare(audio, Math.max(this.#shortest, around - step), Math.min(this.longest, around + step), 1);
  }

  #compare(audio: Float64Array, from: number, to: number, step: number): void {
    const end = audio.length;
    const start = end - this.#window;
    let energy = 1; // so that silence is like nothing
    for (let i = start; i < end; i += step) energy += audio[i]! * audio[i]!;
    for (let period = from; period <= to; period += step) {
      let product = 0;
      let before = 1;
      for (let i = start; i < end; i += step) {
        const earlier = audio[i - period]!;
        product += audio[i]! * earlier;
        before += earlier * earlier;
      }
      const alike = product / Math.sqrt(energy * before);
      if (alike <= this.strength) continue;
      this.strength = alike;
      this.period = period;
    }
  }
}
