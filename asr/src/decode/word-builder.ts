import type { Word } from '@earshot/contracts';
import { type ConfidenceMapping, type WordEvidence, confidenceOf } from './confidence.ts';
import { wordText } from './pieces.ts';

/** A word while its tokens come in. Ticks are of the channel's timeline, frames are counted from the channel's opening. */
export class WordBuilder implements WordEvidence {
  /** Its pieces, joined. */
  text: string;
  startTick: number;
  endTick: number;
  /** Frame of its first token. */
  readonly firstFrame: number;
  /** Up to where the channel could have been settled when it began: it opens no segment before that. */
  readonly bornTick: number;
  tokens = 0;
  logMin = 0;
  #lastFrame: number;
  /** Where it ends as far as its own tokens tell. */
  #ownEndTick: number;
  /** Without the newest token, which may still get better. */
  #logSum = 0;
  #logMin = 0;
  #tokenBest = 0;

  /** @param logProbability of its first token, natural log */
  constructor(
    text: string,
    startTick: number,
    endTick: number,
    frame: number,
    bornTick: number,
    logProbability: number,
  ) {
    this.text = text;
    this.startTick = startTick;
    this.endTick = endTick;
    this.#ownEndTick = endTick;
    this.firstFrame = frame;
    this.#lastFrame = frame;
    this.bornTick = bornTick;
    this.#begin(logProbability);
  }

  /** One more piece of the word. */
  append(text: string, endTick: number, frame: number, logProbability: number): void {
    this.text += text;
    this.endTick = this.#ownEndTick = Math.max(this.endTick, endTick);
    this.#lastFrame = frame;
    this.#begin(logProbability);
  }

  /** The last token goes on for another frame: it counts with its best frame. */
  extend(endTick: number, frame: number, logProbability: number): void {
    this.endTick = this.#ownEndTick = Math.max(this.endTick, endTick);
    this.#lastFrame = frame;
    if (logProbability > this.#tokenBest) this.#best(logProbability);
  }

  /** The next word begins at this tick, before its own end. */
  giveWay(tick: number): void {
    this.endTick = tick;
  }

  /** There is no next word after all. */
  standAlone(): void {
    this.endTick = this.#ownEndTick;
  }

  /** Frame of its newest token, repeats included. */
  get lastFrame(): number {
    return this.#lastFrame;
  }

  get logSum(): number {
    return this.#logSum + this.#tokenBest;
  }

  get frames(): number {
    return this.#lastFrame - this.firstFrame + 1;
  }

  /** @param mapping the model's calibration, or null */
  toWord(mapping: ConfidenceMapping | null): Word {
    return {
      text: wordText(this.text),
      startTick: this.startTick,
      endTick: this.endTick,
      confidence: Math.round(confidenceOf(this, this.text.length, mapping) * 1000) / 1000,
    };
  }

  #begin(logProbability: number): void {
    if (this.tokens++ > 0) {
      this.#logSum += this.#tokenBest;
      this.#logMin = this.logMin;
    }
    this.#best(logProbability);
  }

  #best(logProbability: number): void {
    this.#tokenBest = logProbability;
    this.logMin = Math.min(this.#logMin, logProbability);
  }
}
