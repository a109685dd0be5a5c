import { type CallId, type ChannelId, type Word, channelIdOf } from '@earshot/contracts';
import { rmSync } from 'node:fs';
import { quantile } from '../measure/match.ts';
import { EngineHost } from './engine-host.ts';
import { LinkFleet } from './link-fleet.ts';
import { Loop } from './recorded.ts';
import { makeRunDir, until } from './rig.ts';
import { TranscriptsEnd } from './transcripts-end.ts';

export interface RecoveryOptions {
  /** How many channels, or the share of the engine's measured capacity that their speech is to take. */
  readonly channels: number | { readonly capacityShare: number };
  readonly tape: Int16Array;
  /** Silence is left out as media does it; else everything is sent. */
  readonly gated: boolean;
  readonly secondsBefore: number;
  readonly secondsAfter: number;
  /**
   * `standby`: another engine stands by. `replace`: there is none until a new one is started in its place. Either way the one
   * that died is started again, as host does.
   */
  readonly by: 'standby' | 'replace';
  /** `kill`: SIGKILL. `drain`: a live swap, for which another engine was started beside it. */
  readonly how?: 'kill' | 'drain';
  /** Told once a second. */
  readonly onSecond?: (second: LagSecond) => void;
}

/** Lag of all channels, seconds. */
export interface LagSecond {
  /** Since the kill. */
  readonly second: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  /** Channels and headroom of each engine, as host's table has them. */
  readonly engines: Readonly<Record<string, readonly [channels: number, headroom: number]>>;
  readonly moved: number;
}

/** What one list of words lacks, has twice, and has otherwise, by the words' times. */
export interface Difference {
  readonly lost: number;
  readonly doubled: number;
  readonly changed: number;
}

export interface RecoveryResult {
  readonly channels: number;
  /** Share of the time in which audio is sent. */
  readonly openShare: number;
  readonly headroomBefore: number;
  /** Highest lag of any channel in the second before the kill. */
  readonly lagBeforeSeconds: number;
  /** From the kill until no channel's lag was 1 s or more from then on; null: not while it was looked at. */
  readonly recoveredSeconds: number | null;
  /** Likewise for 99 % of the channels. */
  readonly recoveredP99Seconds: number | null;
  readonly worstLagSeconds: number;
  readonly rebalanced: number;
  /** Channels whose words were compared, and their words. */
  readonly compared: number;
  readonly words: number;
  /** Against an undisturbed run of the same audio. */
  readonly difference: Difference;
}

/** Channels whose words are compared afterwards, and at once. */
const MOST_COMPARED = 60;
const COMPARED_AT_ONCE = 20;
const LOOK_MS = 50;
/** Above so much a channel is not recovered. */
const RECOVERED_SECONDS = 1;
/** Rows of state that an engine has. */
const MOST_CHANNELS = 2000;

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Takes an engine away under its channels. They go on behind the media worker's own link, from their committed ticks, and
 * their words are compared with those of an undisturbed run of the same audio.
 */
export async function killAndRecover(options: RecoveryOptions): Promise<RecoveryResult> {
  const { by, gated, how = 'kill' } = options;
  const runDir = makeRunDir();
  const loop = new Loop(options.tape);
  const transcripts = await TranscriptsEnd.listen(runDir);
  const fleet = new LinkFleet(runDir, { serving: 1, standby: by === 'standby' ? 1 : 0 }, loop, gated);
  const host = new EngineHost(runDir, (rows) => fleet.table(rows));
  const first = await host.start(0);
  if (by === 'standby') await host.start(1);
  await until('the links', () => transcripts.engines === host.engines.size);

  const openShare = gated ? loop.openShare() : 1;
  const count =
    typeof options.channels === 'number'
      ? options.channels
      : Math.min(
          MOST_CHANNELS,
          Math.round((options.channels.capacityShare * Number(first.info['channelsPerCore'])) / openShare),
        );
  const ids = Array.from({ length: count }, (_, i) => channelIdOf('recover' as CallId, i));
  for (const [i, id] of ids.entries()) {
    fleet.open(id, (i * 102_947) % options.tape.length);
    if (i % 10 === 9) await wait(10_000 / Math.max(count, 10));
  }
  await wait(1000 * (options.secondsBefore - 1));
  let lagBeforeSeconds = 0;
  const worst = (): number => Math.max(...ids.map((id) => fleet.lagSeconds(id)));
  for (let i = 0; i < 1000 / LOOK_MS; i++) {
    lagBeforeSeconds = Math.max(lagBeforeSeconds, worst());
    await wait(LOOK_MS);
  }
  const headroomBefore = (await first.ping()).engine?.headroom ?? NaN;

  const startMs = performance.now();
  const gone = how === 'kill' ? host.kill(0) : host.start(2).then(() => host.drain(0));
  const since = (): number => (performance.now() - startMs) / 1000;
  const recovered = { all: null as number | null, p99: null as number | null };
  let worstLagSeconds = 0;
  for (let second = 0; since() < options.secondsAfter;) {
    const lags = ids.map((id) => fleet.lagSeconds(id));
    const max = Math.max(...lags);
    const p99 = quantile(lags, 0.99);
    worstLagSeconds = Math.max(worstLagSeconds, max);
    recovered.all = max < RECOVERED_SECONDS ? (recovered.all ?? since()) : null;
    recovered.p99 = p99 < RECOVERED_SECONDS ? (recovered.p99 ?? since()) : null;
    if (since() >= second) {
      options.onSecond?.({
        second: second++,
        p50: quantile(lags, 0.5),
        p99,
        max,
        engines: Object.fromEntries(
          host.rows.map(({ engine, channels, headroom }) => [engine, [channels, headroom]]),
        ),
        moved: fleet.reopens.get('rebalanced') ?? 0,
      });
    }
    await wait(LOOK_MS);
  }
  await gone;
  for (const id of ids) fleet.end(id);
  await until('the ends', () => ids.every((id) => transcripts.of(id).ended), 120_000);

  const sample = ids.filter((_, i) => i % Math.ceil(ids.length / MOST_COMPARED) === 0);
  const difference: Tally = { lost: 0, doubled: 0, changed: 0 };
  let words = 0;
  const compareOne = async (id: ChannelId): Promise<void> => {
    const calm = `calm-${id}` as ChannelId;
    fleet.again(id, calm);
    await until('the undisturbed run', () => transcripts.of(calm).ended, 120_000);
    add(difference, compare(transcripts.of(calm).words, transcripts.of(id).words));
    words += transcripts.of(calm).words.length;
  };
  for (let i = 0; i < sample.length; i += COMPARED_AT_ONCE) {
    await Promise.all(sample.slice(i, i + COMPARED_AT_ONCE).map(compareOne));
  }
  fleet.stop();
  await host.stop();
  await transcripts.close();
  rmSync(runDir, { recursive: true, force: true });
  return {
    channels: count,
    openShare,
    headroomBefore,
    lagBeforeSeconds,
    recoveredSeconds: recovered.all,
    recoveredP99Seconds: recovered.p99,
    worstLagSeconds,
    rebalanced: fleet.reopens.get('rebalanced') ?? 0,
    compared: sample.length,
    words,
    difference,
  };
}

const overlap = (a: Word, b: Word): number =>
  Math.min(a.endTick, b.endTick) - Math.max(a.startTick, b.startTick);
const lengthOf = (word: Word): number => word.endTick - word.startTick;

type Tally = { -readonly [K in keyof Difference]: number };

function add(tally: Tally, difference: Difference): void {
  for (const key of ['lost', 'doubled', 'changed'] as const) tally[key] += difference[key];
}

/** By their times: what was said when. */
export function compare(reference: readonly Word[], result: readonly Word[]): Difference {
  let lost = 0;
  let changed = 0;
  for (const word of reference) {
    const there = result.filter((other) => overlap(word, other) > 0);
    if (there.length === 0) lost++;
    else if (!there.some(({ text }) => text === word.text)) changed++;
  }
  let doubled = 0;
  for (const [i, word] of result.entries()) {
    const before = result[i - 1];
    const overBefore =
      before !== undefined && overlap(before, word) > Math.min(lengthOf(before), lengthOf(word)) / 2;
    if (overBefore || !reference.some((other) => overlap(word, other) > 0)) doubled++;
  }
  return { lost, doubled, changed };
}
