/** A stream that was promised is there within this, or somebody is told. */
const PROMISED_US = 3_000_000;
/** One that went on without pauses is missed after this. */
const INTERRUPTED_US = 15_000_000;

/** Whether packets of an active channel come that can be used. Time is the monotonic clock in microseconds. */
export class MediaWatch {
  #missing = false;
  /** Whether somebody was told that it is missing; null: nobody knows what was told. */
  #told: boolean | null = false;
  #promisedUs: number;
  #heardUs = -Infinity;

  constructor(nowUs: number) {
    this.#promisedUs = nowUs;
  }

  get missing(): boolean {
    return this.#missing;
  }

  /** The stream was put on, or on again. */
  promised(nowUs: number): void {
    this.#promisedUs = nowUs;
  }

  /**
   * @param usableUs when the last one came; -Infinity when none ever did
   * @param pauses the sender leaves silence out, so that a pause says nothing
   * @returns whether its state changed and has to be told; ask `missing`
   */
  changed(nowUs: number, active: boolean, usableUs: number, pauses: boolean): boolean {
    if (usableUs > this.#heardUs) this.#heardUs = usableUs;
    const heardSincePromise = this.#heardUs >= this.#promisedUs;
    const limitUs = heardSincePromise ? (pauses ? Infinity : INTERRUPTED_US) : PROMISED_US;
    this.#missing = active && nowUs - this.sinceUs > limitUs;
    // Before a packet came there is nothing to say of a stream that may have been missing.
    if (this.#told === null) return this.#missing || heardSincePromise;
    return this.#missing !== this.#told;
  }

  /** Since when nothing came: the last packet, or the promise. */
  get sinceUs(): number {
    return Math.max(this.#heardUs, this.#promisedUs);
  }

  /** Whoever was told may have forgotten it, or a predecessor told it. */
  tellAgain(): void {
    this.#told = null;
  }

  /** Somebody was told. */
  told(): void {
    this.#told = this.#missing;
  }
}
