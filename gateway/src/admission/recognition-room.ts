import type { EngineRow } from '@earshot/contracts';

/** Kept back, so that after an engine's death what it had is caught up (DESIGN: a fifth). */
const RESERVE = 0.2;
/** While calls that were recorded first catch up: they have a quarter of each batch, and media asks for as much before it begins one. */
const RESERVE_CATCHING_UP = 0.3;
/**
 * How much of a channel is speech, as the engines count it. Supposed before any is known: of two parties one speaks at a time, and
 * the gate is open for 0.9 s more than each turn lasts.
 */
const SUPPOSED_SHARE = 0.5;
/** The supposition weighs as much as the measurement of so many channels. */
const SUPPOSED_CHANNELS = 20;
/** Calls on hold cost next to nothing, and may all be taken up again. */
const LEAST_SHARE = 0.2;
/**
 * What a channel on which people speak costs beside its recognition, cores: reading, decoding, spool, words, call log. Measured with
 * 600 of them on two cores of an AMD EPYC (docs/measurements.md). Engines measure what they carry while nothing else runs.
 */
const CORES_BESIDE = 0.0012;
/** Headroom is a mean over so long (asr's load meter): channels are counted over the same time. */
const WINDOW_MS = 5_000;
const SMOOTHING = 1 / 30;
/** With less left over a whole minute the engines are full, whatever was reckoned: something else has their processors. */
const LEAST_HEADROOM = 0.1;
const FULL_AFTER_MS = 60_000;

/**
 * How many channels the recognition engines carry, from host's engine table, which comes once a second. What a channel costs
 * is learnt from the channels there are; how many of them there are the gateway itself knows best, so nothing that was
 * admitted is ever missing from the count.
 */
export class RecognitionRoom {
  readonly #serving: number;
  readonly #cores: number;
  #window: { readonly atMs: number; readonly channels: number }[] = [];
  #share: number | null = null;
  #observed = 0;
  #channels: number | null = null;
  #headroom: number | null = null;
  /** Since when headroom has been less than it may be. */
  #lowSinceMs: number | null = null;

  /**
   * @param serving engines that are to have channels; those beyond stand by
   * @param cores of the machine, which engines, media workers and all others share
   */
  constructor(serving: number, cores: number) {
    this.#serving = serving;
    this.#cores = cores;
  }

  /**
   * Channels that are carried in real time with a fifth kept back; null while nobody knows. While no engine is there the
   * number stands as it was: what comes meanwhile is recorded and caught up.
   */
  get channels(): number | null {
    return this.#channels;
  }

  /** Free share of the engines that serve, 0..1, nothing kept back; null while nobody knows. */
  get headroom(): number | null {
    return this.#headroom;
  }

  /** The engines have been full for a minute. A change of the model, when one of them says so for 20 s, is none. */
  isFull(nowMs: number): boolean {
    return this.#lowSinceMs !== null && nowMs - this.#lowSinceMs >= FULL_AFTER_MS;
  }

  /**
   * @param catchingUp the engines are busy with calls that were recorded first, with what is free: how little that leaves
   *   says nothing of what live channels cost, nor of room for more of them
   */
  table(rows: readonly EngineRow[], nowMs: number, catchingUp = false): void {
    // As media's choice of engines has it: those with most channels serve, the others stand by.
    const serving = rows
      .toSorted((a, b) => b.channels - a.channels || a.engine - b.engine)
      .slice(0, this.#serving);
    if (serving.length === 0) {
      this.#headroom = null;
      this.#lowSinceMs = null;
      return;
    }
    this.#headroom = sum(serving, (row) => row.headroom) / serving.length;
    const measured = serving.filter((row) => row.capacity !== undefined);
    // A speech server that is away says 0, too: calls go on, are recorded, and wait for it.
    const isLow = !catchingUp && measured.length > 0 && this.#headroom < LEAST_HEADROOM;
    this.#lowSinceMs = isLow ? (this.#lowSinceMs ?? nowMs) : null;
    if (measured.length > 0) this.#fromMeasured(measured, nowMs, !catchingUp);
    else this.#fromCounted(serving);
  }

  #fromMeasured(rows: readonly EngineRow[], nowMs: number, teaches: boolean): void {
    const capacity = sum(rows, (row) => row.capacity ?? 0);
    this.#window = this.#window.filter(({ atMs }) => nowMs - atMs < WINDOW_MS);
    this.#window.push({ atMs: nowMs, channels: sum(rows, (row) => row.channels) });
    this.#observed = sum(this.#window, ({ channels }) => channels) / this.#window.length;
    // An engine that gives its channels back says 0, too: that teaches nothing.
    if (teaches && this.#observed >= 1 && rows.every((row) => row.headroom > 0)) {
      const demand = sum(rows, (row) => (1 - row.headroom) * (row.capacity ?? 0));
      const share = Math.min(1, demand / this.#observed);
      this.#share = this.#share === null ? share : this.#share + (share - this.#share) * SMOOTHING;
    }
    const learnt = this.#share === null ? 0 : this.#observed;
    const weighed = SUPPOSED_SHARE * SUPPOSED_CHANNELS + (this.#share ?? 0) * learnt;
    const share = Math.max(LEAST_SHARE, weighed / (SUPPOSED_CHANNELS + learnt));
    const reserve = teaches ? RESERVE : RESERVE_CATCHING_UP;
    const byEngines = capacity / share;
    // An engine has one core.
    const byCores = this.#cores / (rows.length / byEngines + CORES_BESIDE);
    this.#channels = Math.floor((1 - reserve) * Math.min(byEngines, byCores));
  }

  /** A speech server's engines have so many connections, whatever is said on them. One that is away says 0: it teaches nothing. */
  #fromCounted(rows: readonly EngineRow[]): void {
    if (rows.some((row) => row.headroom <= 0 || row.headroom >= 1)) return;
    this.#channels = Math.round(sum(rows, (row) => row.channels / (1 - row.headroom)));
  }
}

const sum = <T>(list: readonly T[], of: (item: T) => number): number =>
  list.reduce((total, item) => total + of(item), 0);
