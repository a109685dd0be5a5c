/**
 * How losses come together, as the E-model asks for it (ITU-T G.107 section 7.5): the mean length of the losses seen, over that of
 * losses by chance at the same rate. It is fed with what playout missed, so that packets that came too late count as lost.
 */
export class LossBursts {
  #played = 0;
  #lost = 0;
  #bursts = 0;

  /** A packet was played. @param lostBefore packets given up right before it */
  played(lostBefore: number): void {
    this.#played++;
    if (lostBefore <= 0) return;
    this.#lost += lostBefore;
    this.#bursts++;
  }

  /** Goes on from what a predecessor had counted. @param bursts in how many bursts the packets were lost */
  restore(played: number, lost: number, bursts: number): void {
    this.#played = played;
    this.#lost = lost;
    // A burst has one packet at least: a block of an earlier version does not say how many there were, that of a long call no more
    // than its field holds.
    this.#bursts = bursts > 0 && bursts < 0xffff ? Math.min(bursts, lost) : lost;
  }

  get count(): number {
    return this.#bursts;
  }

  /** 0 to 1. */
  get lossRatio(): number {
    const total = this.#played + this.#lost;
    return total === 0 ? 0 : this.#lost / total;
  }

  /** 1 for losses by chance and for none, more for bursts. */
  get burstRatio(): number {
    if (this.#bursts === 0) return 1;
    const meanByChance = 1 / (1 - this.lossRatio);
    return Math.max(1, this.#lost / this.#bursts / meanByChance);
  }
}
