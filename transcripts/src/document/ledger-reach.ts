import type { LedgerRow } from '@earshot/contracts';

type Told = Pick<LedgerRow, 'fromTick' | 'toTick' | 'fill' | 'toldBy'>;

interface Island {
  readonly fromTick: number;
  readonly toTick: number;
}

/**
 * How far a channel's ledger goes from 0 without a hole, by the rule that foldLedger reads it with, but without the spans: all that has to be
 * kept of it while the call lives.
 */
export class LedgerReach {
  /** Everything before it was told. */
  #tick: number;
  /** What was told beyond a hole. */
  #islands: Island[] = [];
  #toldBy: number | null = null;

  /** @param tick as the call log has it */
  constructor(tick = 0) {
    this.#tick = tick;
  }

  get tick(): number {
    return this.#tick;
  }

  take({ fromTick, toTick, fill, toldBy }: Told): void {
    if (!fill) {
      // Its predecessor is dead: what that one said of later ticks counts no more.
      if (this.#toldBy !== null && this.#toldBy !== toldBy) this.#cut(fromTick);
      this.#toldBy = toldBy;
    }
    if (toTick <= fromTick) return;
    this.#islands = joined([...this.#islands, { fromTick, toTick }]);
    while ((this.#islands[0]?.fromTick ?? Infinity) <= this.#tick) {
      this.#tick = Math.max(this.#tick, this.#islands.shift()!.toTick);
    }
  }

  #cut(tick: number): void {
    this.#tick = Math.min(this.#tick, tick);
    this.#islands = this.#islands
      .filter((island) => island.fromTick < tick)
      .map((island) => ({ ...island, toTick: Math.min(island.toTick, tick) }));
  }
}

/** In order, those that touch as one: a hole that is never filled costs no memory. */
function joined(islands: Island[]): Island[] {
  const apart: Island[] = [];
  for (const island of islands.sort((a, b) => a.fromTick - b.fromTick)) {
    const last = apart.at(-1);
    if (last === undefined || island.fromTick > last.toTick) apart.push(island);
    else apart[apart.length - 1] = { ...last, toTick: Math.max(last.toTick, island.toTick) };
  }
  return apart;
}
