import { type Random, seededRandom } from './random.ts';

/** What a bad network does to a stream. Rates are probabilities per packet, 0 to 1. */
export interface Impairment {
  lossRate?: number;
  duplicateRate?: number;
  /** The packet is held back and sent after the next one. */
  reorderRate?: number;
  seed: number;
}

/**
 * Turns one packet that is due into those that leave now. Seeded: the same packets are hit in every run.
 * The numbers count what was done, so that a receiver's own counts can be held against them.
 */
export class Impairer {
  lost = 0;
  duplicated = 0;
  reordered = 0;
  readonly #random: Random;
  readonly #impairment: Impairment;
  #held: Buffer | undefined;

  constructor(impairment: Impairment) {
    this.#impairment = impairment;
    this.#random = seededRandom(impairment.seed);
  }

  /** Calls `send` for each packet that leaves when this one is due. */
  pass(packet: Buffer, send: (packet: Buffer) => void): void {
    const { lossRate = 0, duplicateRate = 0, reorderRate = 0 } = this.#impairment;
    if (this.#random() < lossRate) {
      this.lost += 1;
      return;
    }
    if (this.#held === undefined && this.#random() < reorderRate) {
      this.#held = packet;
      return;
    }
    send(packet);
    if (this.#held !== undefined) {
      this.reordered += 1;
      send(this.#held);
      this.#held = undefined;
    }
    if (this.#random() < duplicateRate) {
      this.duplicated += 1;
      send(packet);
    }
  }

  /** A packet held back at the end of the stream still leaves. */
  flush(send: (packet: Buffer) => void): void {
    if (this.#held !== undefined) send(this.#held);
    this.#held = undefined;
  }
}
