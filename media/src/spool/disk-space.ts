import type { Log } from '@earshot/platform';

/** It is enough again a fifth above that, so that a disk on the edge does not change with each look. */
const ENOUGH = 1.2;

/** What the disk has (statfs(2)), in blocks: all, and those that this user may take. */
export interface Space {
  readonly blocks: number;
  readonly bavail: number;
}

/** Whether there is room for recordings. */
export class DiskSpace {
  /** New calls are not recorded. */
  scarce = false;
  /** 0 to 1; NaN until it was looked at. */
  freeShare = NaN;
  readonly #look: () => Promise<Space>;
  readonly #reserve: number;
  readonly #log: Log;
  #looking = false;

  /**
   * @param look asks the disk
   * @param reserve share of the disk, 0 to 1: with less than that free, nothing new is recorded. What is left is for live calls and
   *   the database.
   */
  constructor(look: () => Promise<Space>, log: Log, reserve: number) {
    this.#look = look;
    this.#log = log;
    this.#reserve = reserve;
  }

  /** Looks, unless a look is under way: a disk that hangs is asked once. */
  async look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      const { blocks, bavail } = await this.#look();
      this.freeShare = blocks > 0 ? bavail / blocks : NaN;
      this.#judge(this.freeShare);
    } catch (error) {
      this.#log.warn({ err: error }, 'room on the disk is not known');
    } finally {
      this.#looking = false;
    }
  }

  #judge(share: number): void {
    const freePercent = Math.round(share * 1000) / 10;
    if (!this.scarce && share < this.#reserve) {
      this.scarce = true;
      this.#log.error({ freePercent }, 'the disk is nearly full; new calls are transcribed and not recorded');
    } else if (this.scarce && share >= this.#reserve * ENOUGH) {
      this.scarce = false;
      this.#log.info({ freePercent }, 'the disk has room again; new calls are recorded');
    }
  }
}
