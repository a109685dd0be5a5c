import { toSample } from '../dsp/fir.ts';
import { LinearPredictor } from '../dsp/linear-prediction.ts';
import { LONGEST_PERIOD, PitchSearch } from '../dsp/pitch.ts';

/** Samples. */
const PER_MS = 8;
/** What is remembered. */
const HISTORY_MS = 50;
/** Full level so long, then falling in a line to silence (G.711 Appendix I). */
const FULL_MS = 10;
const SILENT_MS = 60;
/** The first good audio is cross-faded for so long, and by a tenth of the loss longer: 5 ms after 20 ms, at most 9 ms. */
const FADE_MS = 3;
const FADE_PER_LOST = 0.1;
/** Audio that repeats itself less than this is no voice: its longest period is repeated, where a loop is heard least. */
const VOICED = 0.5;
/** What is made up does not get louder than what was heard, times this. */
const HEADROOM = 1.25;

/**
 * Makes up what was lost of one channel's linear PCM at 8 kHz, after ITU-T G.711 Appendix I (09/1999): the last pitch period goes on,
 * full for 10 ms, silent from 60 ms on, and what is heard first is cross-faded with what would have gone on. Appendix I
 * delays all audio by 3.75 ms to smooth the beginning of a loss. Here the period's prediction residual is repeated, and
 * the predictor goes on from the last good samples, so the beginning is smooth without delay.
 *
 * Measured on speech of four voices with 5 % of 20 ms packets lost: log-spectral distance of the lost stretches and
 * their borders 2.7 dB (repetition with fade 4.5, silence 5.0, overlap-add of the waveform 3.4), segmental SNR 3.3 dB (-2.1, 0,
 * 2.5). Adding periods while the loss lasts, and noise in the place of unvoiced residuals, made both worse.
 *
 * While nothing is lost it costs a copy; the beginning of a loss costs some 30,000 multiplications.
 */
export class WaveformConcealment {
  readonly #predictor = new LinearPredictor();
  readonly #pitch = new PitchSearch();
  readonly #history = new Int16Array(HISTORY_MS * PER_MS);
  /** The history as the loss found it, and after it the samples made last: the predictor's memory, moved back when full. */
  readonly #line = new Float64Array(2 * HISTORY_MS * PER_MS);
  #at = 0;
  /** The residual of one period, and how far it has been played. */
  readonly #residual = new Float64Array(LONGEST_PERIOD);
  #period = 0;
  #played = 0;
  #loudest = 0;
  /** Samples made up since the loss began; 0 while nothing is lost. */
  #lost = 0;

  reset(): void {
    this.#history.fill(0);
    this.#lost = 0;
  }

  /**
   * The newest good audio, pcm[0..n). Right after a loss its beginning is changed in place: cross-faded with the concealment,
   * for 9 ms at most.
   * @returns how many samples were changed
   */
  heard(pcm: Int16Array, n: number): number {
    const faded = this.#lost > 0 ? this.#fade(pcm, n) : 0;
    this.#lost = 0;
    this.#remember(pcm, n);
    return faded;
  }

  /** Makes the next `samples` of a loss. A longer loss may be made in pieces of any size. */
  conceal(out: Int16Array, samples: number): void {
    if (this.#lost === 0) this.#begin();
    for (let i = 0; i < samples; i++) out[i] = toSample(this.#next());
    this.#remember(out, samples);
  }

  #remember(pcm: Int16Array, n: number): void {
    const history = this.#history;
    const count = Math.min(n, history.length);
    const kept = history.length - count;
    if (kept > 0) history.copyWithin(0, count);
    for (let i = 0; i < count; i++) history[kept + i] = pcm[n - count + i]!;
  }

  #begin(): void {
    const history = this.#history;
    const line = this.#line;
    const length = history.length;
    let loudest = 0;
    // The analysis takes the end of an array for the newest audio, so the history lies there first.
    for (let i = 0; i < length; i++) {
      const sample = history[i]!;
      line[length + i] = sample;
      if (Math.abs(sample) > loudest) loudest = Math.abs(sample);
    }
    this.#loudest = HEADROOM * loudest;
    this.#pitch.search(line);
    this.#predictor.analyse(line);
    this.#period = this.#pitch.strength < VOICED ? LONGEST_PERIOD : this.#pitch.period;
    for (let i = 0, at = line.length - this.#period; i < this.#period; i++, at++) {
      this.#residual[i] = line[at]! - this.#predictor.predict(line, at);
    }
    this.#played = 0;
    this.#at = line.length;
  }

  #next(): number {
    const silentFor = this.#lost++ - SILENT_MS * PER_MS;
    if (silentFor >= 0) return 0;
    const line = this.#line;
    const order = this.#predictor.order;
    if (this.#at === line.length) {
      line.copyWithin(0, this.#at - order);
      this.#at = order;
    }
    const made = this.#residual[this.#played]! + this.#predictor.predict(line, this.#at);
    const bounded = made > this.#loudest ? this.#loudest : made < -this.#loudest ? -this.#loudest : made;
    line[this.#at++] = bounded;
    this.#played = this.#played + 1 === this.#period ? 0 : this.#played + 1;
    return bounded * Math.min(1, -silentFor / ((SILENT_MS - FULL_MS) * PER_MS));
  }

  #fade(pcm: Int16Array, n: number): number {
    const lostMs = this.#lost / PER_MS;
    const fadeMs = lostMs < SILENT_MS ? FADE_MS + FADE_PER_LOST * lostMs : FADE_MS;
    const fade = Math.min(n, Math.round(fadeMs * PER_MS));
    for (let i = 0; i < fade; i++) {
      const good = (i + 0.5) / fade;
      pcm[i] = toSample(good * pcm[i]! + (1 - good) * this.#next());
    }
    return fade;
  }
}
