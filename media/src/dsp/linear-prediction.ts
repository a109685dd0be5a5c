const RATE = 8000;
const ORDER = 16;
/** The audio's end that is looked at. */
const WINDOW_MS = 30;
/** Its window rises over so much of it, and falls over the rest: the newest audio counts most. */
const RISE = 0.9;
/** The window's last value is not quite zero: cos(0.8 × 90°). */
const FALL = 0.4 * Math.PI;
/** Resonances are widened by this many hertz, and by a noise floor 40 dB down, so that none rings on. */
const LAG_WINDOW_HZ = 40;
const NOISE_FLOOR = 1.0001;
/** Moves the poles inward a little more. */
const EXPANSION = 0.994;

/** Linear prediction by the autocorrelation method and the Levinson-Durbin recursion; the predictor is always stable. For 8 kHz. */
export class LinearPredictor {
  readonly order = ORDER;
  /** What a sample is predicted by: coefficients[k] times the sample k + 1 before it. */
  readonly coefficients = new Float64Array(ORDER);
  readonly #previous = new Float64Array(ORDER);
  readonly #window: Float64Array;
  readonly #windowed: Float64Array;
  readonly #correlation: Float64Array;
  readonly #lagWindow: Float64Array;

  constructor() {
    const length = (WINDOW_MS * RATE) / 1000;
    this.#window = Float64Array.from({ length }, (_, i) => {
      const x = (i + 0.5) / length;
      return x < RISE ? Math.sin((Math.PI * x) / (2 * RISE)) : Math.cos((FALL * (x - RISE)) / (1 - RISE));
    });
    this.#windowed = new Float64Array(length);
    this.#correlation = new Float64Array(this.order + 1);
    this.#lagWindow = Float64Array.from({ length: this.order + 1 }, (_, k) =>
      Math.exp(-0.5 * ((2 * Math.PI * LAG_WINDOW_HZ * k) / RATE) ** 2),
    );
  }

  /** Sets the coefficients. @param audio 30 ms or more; its end is what counts */
  analyse(audio: Float64Array): void {
    const windowed = this.#windowed;
    const length = windowed.length;
    const from = audio.length - length;
    for (let i = 0; i < length; i++) windowed[i] = audio[from + i]! * this.#window[i]!;
    for (let k = 0; k <= this.order; k++) {
      let sum = 0;
      for (let i = k; i < length; i++) sum += windowed[i]! * windowed[i - k]!;
      this.#correlation[k] = sum * this.#lagWindow[k]!;
    }
    this.#correlation[0] = this.#correlation[0]! * NOISE_FLOOR + 1;
    this.#levinson();
    for (let k = 0, expand = EXPANSION; k < this.order; k++, expand *= EXPANSION) {
      this.coefficients[k]! *= expand;
    }
  }

  /** @returns the sample at index `at`, predicted from those before it */
  predict(audio: Float64Array, at: number): number {
    let sum = 0;
    for (let k = 0; k < this.order; k++) sum += this.coefficients[k]! * audio[at - 1 - k]!;
    return sum;
  }

  #levinson(): void {
    const { coefficients: now } = this;
    const correlation = this.#correlation;
    const previous = this.#previous;
    let error = correlation[0]!;
    for (let i = 0; i < this.order; i++) {
      let sum = correlation[i + 1]!;
      for (let j = 0; j < i; j++) sum -= now[j]! * correlation[i - j]!;
      const reflection = sum / error;
      previous.set(now);
      now[i] = reflection;
      for (let j = 0; j < i; j++) now[j] = previous[j]! - reflection * previous[i - 1 - j]!;
      error *= 1 - reflection * reflection;
    }
  }
}
