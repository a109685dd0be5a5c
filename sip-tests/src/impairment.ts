import { type Random, seededRandom } from './random.ts';

/** What a bad network does to a stream. Rates are probabilities per packet, 0 to 1. */
export interface Impairment {
  lossRate?: number;
  /** How many packets are lost in a row, on average (default 1). The rate stays what it is. */
  lossBurst?: number;
  duplicateRate?: number;
  /** The packet is held back and sent after the next one. */
  reorderRate?: number;
  /** Each packet is late by 0 to so many milliseconds, evenly, by itself: one may overtake another, as with netem's delay. */
  jitterMs?: number;
  /** Nothing is done to so many packets at the beginning and, where the end is known, at the end (default 0). */
  wholePackets?: number;
  seed: number;
}

/** One thing that a network does. */
export interface NetworkCondition {
  readonly name: string;
  readonly impairment: Omit<Impairment, 'seed'>;
}

/** The bad networks of sip-tests' own suite and of the benchmark `impairment`, so that the figures of the one explain the other. */
export const NETWORK_CONDITIONS: readonly NetworkCondition[] = [
  { name: 'loss 5 %', impairment: { lossRate: 0.05 } },
  { name: 'loss 5 % in bursts of 4', impairment: { lossRate: 0.05, lossBurst: 4 } },
  { name: 'jitter 50 ms', impairment: { jitterMs: 50 } },
  { name: 'reorder 2 %', impairment: { reorderRate: 0.02 } },
  { name: 'duplicates 2 %', impairment: { duplicateRate: 0.02 } },
  {
    name: 'all together',
    impairment: { lossRate: 0.05, jitterMs: 50, reorderRate: 0.02, duplicateRate: 0.02 },
  },
];

interface Delayed {
  readonly packet: Buffer;
  readonly leavesMs: number;
}

/**
 * Turns one packet that is due into those that leave now, or later. Seeded: the same packets are hit in every run.
 * The numbers count what was done, so that a receiver's own counts can be held against them.
 */
export class Impairer {
  lost = 0;
  duplicated = 0;
  reordered = 0;
  readonly #random: Random;
  readonly #impairment: Impairment;
  #held: Buffer | undefined;
  /** The packet before was lost. */
  #losing = false;
  #passed = 0;
  readonly #packets: number;
  /** By the time at which they leave. */
  #delayed: Delayed[] = [];

  /** @param packets how many will be passed, for wholePackets */
  constructor(impairment: Impairment, packets = Infinity) {
    this.#packets = packets;
    this.#impairment = impairment;
    this.#random = seededRandom(impairment.seed);
  }

  /** Packets that wait for their time. */
  get waiting(): number {
    return this.#delayed.length;
  }

  /**
   * Calls `send` for each packet that leaves when this one is due; with jitter, {@link release} does.
   * @param dueMs when it is, from which its delay counts: a sender that is late adds none of its own
   */
  pass(packet: Buffer, send: (packet: Buffer) => void, dueMs = 0): void {
    const { duplicateRate = 0, reorderRate = 0, jitterMs = 0 } = this.#impairment;
    const out = jitterMs > 0 ? this.#later(dueMs, jitterMs) : send;
    const { wholePackets = 0 } = this.#impairment;
    this.#passed += 1;
    if (this.#passed <= wholePackets || this.#passed > this.#packets - wholePackets) {
      // Without jitter; but one that was held back comes before it.
      if (this.#held !== undefined) send(this.#held);
      this.#held = undefined;
      send(packet);
      return;
    }
    if (this.#loses()) {
      this.lost += 1;
      return;
    }
    if (this.#held === undefined && this.#random() < reorderRate) {
      this.#held = packet;
      return;
    }
    out(packet);
    if (this.#held !== undefined) {
      this.reordered += 1;
      out(this.#held);
      this.#held = undefined;
    }
    if (this.#random() < duplicateRate) {
      this.duplicated += 1;
      out(packet);
    }
  }

  /** Sends the delayed packets whose time has come. */
  release(nowMs: number, send: (packet: Buffer) => void): void {
    while (this.#delayed.length > 0 && this.#delayed[0]!.leavesMs <= nowMs)
      send(this.#delayed.shift()!.packet);
  }

  /** A packet held back at the end of the stream still leaves, and so do delayed ones. */
  flush(send: (packet: Buffer) => void): void {
    this.release(Infinity, send);
    if (this.#held !== undefined) send(this.#held);
    this.#held = undefined;
  }

  /** A chain of two states (Gilbert): what is lost on average, in runs of what length. */
  #loses(): boolean {
    const { lossRate = 0, lossBurst = 1 } = this.#impairment;
    const draw = this.#random();
    if (lossBurst <= 1 || lossRate >= 1) return draw < lossRate;
    this.#losing = this.#losing ? draw >= 1 / lossBurst : draw < lossRate / lossBurst / (1 - lossRate);
    return this.#losing;
  }

  #later(dueMs: number, jitterMs: number): (packet: Buffer) => void {
    return (packet) => {
      const leavesMs = dueMs + jitterMs * this.#random();
      let place = this.#delayed.length;
      while (place > 0 && this.#delayed[place - 1]!.leavesMs > leavesMs) place -= 1;
      this.#delayed.splice(place, 0, { packet, leavesMs });
    };
  }
}

/** Which of so many packets an {@link Impairer} of this impairment loses. */
export function lossesOf(impairment: Impairment, packets: number): boolean[] {
  const impairer = new Impairer(impairment, packets);
  const packet = Buffer.alloc(0);
  return Array.from({ length: packets }, () => {
    const before = impairer.lost;
    impairer.pass(packet, () => undefined);
    return impairer.lost > before;
  });
}
