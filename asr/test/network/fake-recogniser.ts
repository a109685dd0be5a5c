/**
 * A recogniser of a language of tones: a stretch of one value other than zero is the word of that value, from its first sample
 * to its last. So what is said, and when, can be known exactly.
 */
export interface HeardWord {
  readonly text: string;
  readonly startSample: number;
  readonly endSample: number;
}

export class FakeRecogniser {
  position = 0;
  /** Words that ended, since the last take(). */
  #words: HeardWord[] = [];
  #value = 0;
  #since = 0;
  #lastSound = 0;

  feed(pcm: Int16Array): void {
    for (const sample of pcm) {
      if (sample !== this.#value) {
        this.#finishWord();
        this.#value = sample;
        this.#since = this.position;
      }
      this.position++;
      if (sample !== 0) this.#lastSound = this.position;
    }
  }

  /** Words so far, the one being spoken included. */
  get words(): readonly HeardWord[] {
    const open = this.#value === 0 ? [] : [this.#wordNow()];
    return [...this.#words, ...open];
  }

  /** Samples since the last sound. */
  get silence(): number {
    return this.position - this.#lastSound;
  }

  /** Takes the words that ended before this sample. */
  takeBefore(sample: number): HeardWord[] {
    const taken = this.#words.filter((word) => word.endSample <= sample);
    this.#words = this.#words.slice(taken.length);
    return taken;
  }

  /** Takes all, the one being spoken as well, as if silence followed. */
  takeAll(): HeardWord[] {
    this.#finishWord();
    this.#value = 0;
    return this.#words.splice(0);
  }

  #finishWord(): void {
    if (this.#value !== 0) this.#words.push(this.#wordNow());
  }

  #wordNow(): HeardWord {
    return { text: wordOf(this.#value), startSample: this.#since, endSample: this.position };
  }
}

export const wordOf = (value: number): string => `w${value}`;

export function pcmOf(data: Buffer): Int16Array {
  const pcm = new Int16Array(data.length >> 1);
  for (let i = 0; i < pcm.length; i++) pcm[i] = data.readInt16LE(2 * i);
  return pcm;
}
