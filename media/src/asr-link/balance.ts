import type { EngineView } from './placement.ts';

/** An open channel of this worker. */
export interface ChannelView {
  readonly engine: number;
  /** Received and not yet decided. */
  readonly lagTicks: number;
  /** What another engine would have to hear again of what this one has decided. */
  readonly againTicks: number;
  /** Since when the engine has it; monotonic microseconds. */
  readonly placedUs: number;
  /** When it was moved for its engine's lag; monotonic microseconds, -Infinity for never. */
  readonly movedUs: number;
}

export interface Moves<C extends ChannelView> {
  readonly from: number;
  readonly to: number;
  readonly channels: readonly C[];
}

/** A channel with so much lag (1.5 s) is behind. In quiet times none has more than 0.9 s. */
const BEHIND_TICKS = 12_000;
/** An engine is behind when so many of its channels are. */
const BEHIND_SHARE = 0.2;
/** So many looks (seconds) in a row before anything moves. */
const BEHIND_LOOKS = 2;
/** Channels that came so lately have to catch up first, and say nothing of their engine. */
const CATCHES_UP_US = 10_000_000;
/** An engine's lag is compared with what it was so many looks before. */
const TREND_LOOKS = 4;
/** Channels go only where the load is less by so much of an engine's capacity. */
const CLEAR_ROOM = 0.2;
/** No more of an engine's capacity is filled by channels from one that is slower than it should be. */
const MOST_LOAD = 0.8;
/** Share of the channels that this worker has on the engine that move at one look. */
const MOST_AT_ONCE = 0.25;
/** A channel that was moved stays for so long, unless its engine ends. */
const STAYS_US = 30_000_000;

/** What was seen of an engine at the last looks. */
interface Seen {
  looksBehind: number;
  /** Mean lag of the channels that are there for long, ticks; the newest last. */
  readonly lagTicks: number[];
}

/**
 * Decides which channels leave an engine that does not keep up for one that has clear room. There are two cases.
 *
 * It has more than the other: then channels move until both have the same load. Load is that of channels in real time, not
 * the measured one, for an engine that catches up is busy and has room all the same.
 *
 * Its lag grows, whatever it has: something takes its processor. Then as many go as it falls behind by.
 *
 * Each media worker decides by itself, by the lag of its own channels and by host's table, which all see, and moves only its
 * share, so that together they do not move it twice.
 */
export class Balance {
  readonly #seen = new Map<number, Seen>();

  /**
   * To be called once a second, with each new table of host's.
   * @param channels the open ones of this worker @param loadOfChannel share of the time in which audio of a channel is sent
   * @returns what is to be moved now; null for nothing
   */
  look<C extends ChannelView>(
    engines: readonly EngineView[],
    channels: readonly C[],
    loadOfChannel: number,
    nowUs: number,
  ): Moves<C> | null {
    const byEngine = Map.groupBy(channels, ({ engine }) => engine);
    const mineOn = ({ engine }: EngineView): readonly C[] => byEngine.get(engine) ?? [];
    const settledOn = (view: EngineView): readonly C[] =>
      mineOn(view).filter(({ placedUs }) => nowUs - placedUs >= CATCHES_UP_US);
    const load = ({ channels: count, capacity }: EngineView): number => (count * loadOfChannel) / capacity;
    const up = engines.filter((view) => view.up);
    for (const view of up) this.#see(view.engine, mineOn(view), settledOn(view));

    const to = up.filter((view) => !isBehind(settledOn(view))).toSorted((a, b) => load(a) - load(b))[0];
    if (to === undefined) return null;
    /** Channels that are to leave, all workers' together. */
    const surplus = (from: EngineView): number => {
      const seen = this.#seen.get(from.engine);
      if (from === to || seen === undefined || seen.looksBehind < BEHIND_LOOKS) return 0;
      const more = load(from) - load(to);
      const even = (more * from.capacity * to.capacity) / (from.capacity + to.capacity) / loadOfChannel;
      if (more >= CLEAR_ROOM) return even;
      const room = ((MOST_LOAD - load(to)) * to.capacity) / loadOfChannel;
      return Math.min(room, from.channels * fallsBehindBy(seen));
    };
    const from = up
      .filter((view) => surplus(view) >= 1)
      .toSorted((a, b) => meanLag(mineOn(b)) - meanLag(mineOn(a)))[0];
    if (from === undefined) return null;
    const mine = mineOn(from);
    const ofMine = surplus(from) * (mine.length / Math.max(mine.length, from.channels));
    const most = Math.max(1, Math.floor(Math.min(mine.length * MOST_AT_ONCE, ofMine)));
    const movable = mine
      .filter(({ lagTicks, movedUs }) => lagTicks > BEHIND_TICKS && nowUs - movedUs >= STAYS_US)
      // Those that are most behind, and of which least has to be heard again.
      .sort((a, b) => b.lagTicks - b.againTicks - (a.lagTicks - a.againTicks))
      .slice(0, most);
    return movable.length === 0 ? null : { from: from.engine, to: to.engine, channels: movable };
  }

  /** The engine is gone: what comes in its place begins anew. */
  gone(engine: number): void {
    this.#seen.delete(engine);
  }

  #see(engine: number, all: readonly ChannelView[], settled: readonly ChannelView[]): void {
    const seen = this.#seen.get(engine) ?? { looksBehind: 0, lagTicks: [] };
    this.#seen.set(engine, seen);
    seen.looksBehind = isBehind(all) ? seen.looksBehind + 1 : 0;
    if (settled.length === 0) seen.lagTicks.length = 0;
    else seen.lagTicks.push(meanLag(settled));
    if (seen.lagTicks.length > TREND_LOOKS + 1) seen.lagTicks.shift();
  }
}

/** By how much the lag grew, as a share of the time in which it did; 0 when it did not, or nothing is known. */
function fallsBehindBy({ lagTicks }: Seen): number {
  if (lagTicks.length <= TREND_LOOKS) return 0;
  return Math.max(0, Math.min(1, (lagTicks.at(-1)! - lagTicks[0]!) / (TREND_LOOKS * 8000)));
}

function isBehind(channels: readonly ChannelView[]): boolean {
  const behind = channels.filter(({ lagTicks }) => lagTicks > BEHIND_TICKS).length;
  return behind > 0 && behind >= channels.length * BEHIND_SHARE;
}

const meanLag = (channels: readonly ChannelView[]): number =>
  channels.reduce((sum, { lagTicks }) => sum + lagTicks, 0) / Math.max(1, channels.length);
