/** Periods that are looked for: 200 Hz to 66 Hz. A higher voice is found by two or three of its periods. */
const SHORTEST_MS = 5;
const LONGEST_MS = 15;
/** The end of the audio, which is compared with what was a period before. */
const WINDOW_MS = 15;
/** At 8 kHz. */
const PER_MS = 8;
const SHORTEST = SHORTEST_MS * PER_MS;
const WINDOW = WINDOW_MS * PER_MS;
/** Samples of the longest period. */
export const LONGEST_PERIOD = LONGEST_MS * PER_MS;

/** How audio at 8 kHz repeats itself at its end, by normalised autocorrelation (as ITU-T G.711 Appendix I does). */
export class PitchSearch {
  /** Samples of the period found last. */
  period = LONGEST_PERIOD;
  /** How alike the last two periods were: up to 1; under about 0.5 it was no voice. */
  strength = 0;

  /** Sets period and strength. @param audio 30 ms or more; the period is that of its end */
  search(audio: Float64Array): void {
    this.strength = -1;
    const end = audio.length;
    const start = end - WINDOW;
    let energy = 1; // so that silence is like nothing
    for (let i = start; i < end; i++) energy += audio[i]! * audio[i]!;
    for (let period = SHORTEST; period <= LONGEST_PERIOD; period++) {
      let product = 0;
      let before = 1;
      for (let i = start; i < end; i++) {
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
