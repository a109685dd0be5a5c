import type { ChannelLevels } from '@earshot/contracts';

/** Mean square of a square wave of full scale: 0 dBov. */
const FULL_SCALE = 32_768 ** 2;
/** Digital silence, and what is as good as that (RFC 6464 section 3). */
const LEAST_DBOV = -127;

const dbov = (power: number): number => Math.max(LEAST_DBOV, 10 * Math.log10(power / FULL_SCALE));

/** How loud a channel was, from what its VAD reckons of each frame anyway. */
export class Levels {
  #peak = 0;
  #power = 0;
  #ticks = 0;
  #speechPower = 0;
  #speechTicks = 0;

  /** @param power mean square of the frame's 16-bit samples */
  frame(power: number, ticks: number, speech: boolean): void {
    if (power > this.#peak) this.#peak = power;
    this.#power += power * ticks;
    this.#ticks += ticks;
    if (!speech) return;
    this.#speechPower += power * ticks;
    this.#speechTicks += ticks;
  }

  /** Null before the first frame. */
  totals(): ChannelLevels | null {
    if (this.#ticks === 0) return null;
    const mean = this.#speechTicks > 0 ? this.#speechPower / this.#speechTicks : this.#power / this.#ticks;
    return { peakDbov: dbov(this.#peak), meanDbov: dbov(mean), speechTicks: this.#speechTicks };
  }
}
