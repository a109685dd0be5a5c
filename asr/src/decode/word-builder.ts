import type { Word } from '@earshot/contracts';

/** A word while its pieces come in. Ticks are of the channel's timeline. */
export class WordBuilder {
  text: string;
  startTick: number;
  endTick: number;
  #logSum = 0;
  #tokens = 0;
  #tokenBest = -Infinity;

  /** @param logProbability of its first token, natural log */
  constructor(text: string, startTick: number, endTick: number, logProbability: number) {
    this.text = text;
    this.startTick = startTick;
    this.endTick = endTick;
    this.#begin(logProbability);
  }

  /** One more piece of the word. */
  append(text: string, endTick: number, logProbability: number): void {
    this.text += text;
    this.endTick = Math.max(this.endTick, endTick);
    this.#begin(logProbability);
  }

  /** The last token goes on for another frame: it counts with its best frame. */
  extend(endTick: number, logProbability: number): void {
    this.endTick = Math.max(this.endTick, endTick);
    if (logProbability > this.#tokenBest) {
      this.#logSum += logProbability - this.#tokenBest;
      this.#tokenBest = logProbability;
    }
  }

  /** Geometric mean of the posteriors of its tokens, 0..1. */
  get confidence(): number {
    return Math.min(1, Math.exp(this.#logSum / this.#tokens));
  }

  toWord(): Word {
    return {
      text: this.text,
      startTick: this.startTick,
      endTick: this.endTick,
      confidence: Math.round(this.confidence * 1000) / 1000,
    };
  }

  #begin(logProbability: number): void {
    this.#logSum += logProbability;
    this.#tokenBest = logProbability;
    this.#tokens++;
  }
}
