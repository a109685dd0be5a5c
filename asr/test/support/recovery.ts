import { type CallId, type ChannelId, type FromEngine, type Word, channelIdOf } from '@earshot/contracts';
import { rmSync } from 'node:fs';
import { EngineProcess } from './engine-process.ts';
import { Fleet } from './fleet.ts';
import { WordsEnd, makeRunDir, until } from './rig.ts';

export interface RecoveryOptions {
  /** How many channels, or the share of the engine's measured capacity that they are to take. */
  readonly channels: number | { readonly capacityShare: number };
  readonly tape: Int16Array;
  readonly secondsBefore: number;
  readonly secondsAfter: number;
  /** `standby`: another engine is up and takes the channels. `replace`: a new one is started in its place, as host does. */
  readonly by: 'standby' | 'replace';
}

/** What one list of words lacks, has twice, and has otherwise, by the words' times. */
export interface Difference {
  readonly lost: number;
  readonly doubled: number;
  readonly changed: number;
}

export interface RecoveryResult {
  readonly channels: number;
  readonly headroomBefore: number;
  /** From the kill until no channel's lag was 1 s or more; null: not while it was looked at. */
  readonly recoveredSeconds: number | null;
  readonly worstLagSeconds: number;
  /** Channels whose words were compared, and their words. */
  readonly compared: number;
  readonly words: number;
  /**
   * Against what is right: the words of a run of the same audio that nothing disturbed, up to the tick that was committed when
   * the engine died, and from there on those of one that was opened at that tick.
   */
  readonly againstExpected: Difference;
  /** Against the undisturbed run alone: the model, begun anew 1 s before the tick, may understand the next words otherwise. */
  readonly againstUndisturbed: Difference;
}

/** The transcript of a channel as transcripts keeps it: of the current attempt, from the committed tick on. */
class Transcript {
  attempt = 1;
  committedTick = 0;
  endedAt: number | null = null;
  readonly words: Word[] = [];
  /** Ticks that it was opened again at. */
  readonly resumes: number[] = [];

  take(message: Exclude<FromEngine, { type: 'hello' }>): void {
    if (message.attempt !== this.attempt) return;
    if (message.type === 'final' && message.fromTick >= this.committedTick) {
      this.words.push(...message.words);
      this.committedTick = message.toTick;
    } else if (message.type === 'progress') {
      this.committedTick = Math.max(this.committedTick, message.settledTick);
    } else if (message.type === 'ended') this.endedAt = message.tick;
  }
}

/** Channels whose words are compared afterwards, and at once. */
const MOST_COMPARED = 60;
const COMPARED_AT_ONCE = 20;

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Kills an engine under channels that speak without a break, opens them again from their committed ticks, and compares their
 * words with those of an undisturbed run of the same audio.
 */
export async function killAndRecover(options: RecoveryOptions): Promise<RecoveryResult> {
  const { tape, by } = options;
  const runDir = makeRunDir();
  const transcripts = new Map<ChannelId, Transcript>();
  const words = await WordsEnd.listen(runDir);
  words.keep = false;
  words.onMessage = (message) => {
    if (message.type !== 'hello') transcripts.get(message.channel)?.take(message);
  };
  let target = by === 'standby' ? 1 : 0;
  const orphans: ChannelId[] = [];
  const fleet = new Fleet({ runDir, engines: 2, onLost: (channel) => orphans.push(channel) });
  const first = await EngineProcess.start(runDir, 0);
  const standby = by === 'standby' ? await EngineProcess.start(runDir, 1) : null;
  await until('the links', () => fleet.up[0] && words.connections === (standby === null ? 1 : 2));

  const count =
    typeof options.channels === 'number'
      ? options.channels
      : Math.round(options.channels.capacityShare * Number(first.info['channelsPerCore']));
  const ids = Array.from({ length: count }, (_, i) => channelIdOf('recover' as CallId, i));
  fleet.start();
  for (const [i, id] of ids.entries()) {
    transcripts.set(id, new Transcript());
    fleet.open(id, tape, (i * 102_947) % tape.length);
    if (i % 10 === 9) await wait(10_000 / Math.max(count, 10));
  }
  await wait(1000 * options.secondsBefore);
  const headroomBefore = (await first.ping()).engine?.headroom ?? NaN;

  const killedMs = performance.now();
  await first.kill();
  let replacement: EngineProcess | null = null;
  if (by === 'replace') {
    target = 0;
    replacement = await EngineProcess.start(runDir, 0);
  }
  await until('the links', () => fleet.up[target] && words.connections === 2, 60_000);
  const reopen = (): void => {
    for (const id of orphans.splice(0)) {
      const transcript = transcripts.get(id)!;
      transcript.attempt++;
      transcript.resumes.push(transcript.committedTick);
      fleet.reopen(id, target, transcript.committedTick);
    }
  };
  let recoveredSeconds: number | null = null;
  let worstLagSeconds = 0;
  while (performance.now() - killedMs < 1000 * options.secondsAfter || orphans.length > 0) {
    reopen();
    const lag = Math.max(...ids.map((id) => fleet.lagSeconds(id)));
    worstLagSeconds = Math.max(worstLagSeconds, lag);
    if (lag >= 1) recoveredSeconds = null;
    else recoveredSeconds ??= (performance.now() - killedMs) / 1000;
    await wait(50);
  }
  const ends = new Map(ids.map((id) => [id, fleet.end(id)]));
  await until('the ends', () => ids.every((id) => transcripts.get(id)!.endedAt !== null), 120_000);

  const sample = ids.filter((_, i) => i % Math.ceil(ids.length / MOST_COMPARED) === 0);
  const againstExpected: Tally = { lost: 0, doubled: 0, changed: 0 };
  const againstUndisturbed: Tally = { lost: 0, doubled: 0, changed: 0 };
  let wordCount = 0;
  const compareOne = async (id: ChannelId): Promise<void> => {
    const disturbed = transcripts.get(id)!;
    let attempt = disturbed.attempt;
    /** The same audio once more to its end, opened at a tick, as fast as it goes. */
    const runFrom = async (tick: number): Promise<Transcript> => {
      const calm = new Transcript();
      calm.attempt = ++attempt;
      calm.committedTick = tick;
      transcripts.set(id, calm);
      fleet.replay(id, target, tick, ends.get(id)!);
      await until('the undisturbed run', () => calm.endedAt !== null, 120_000);
      return calm;
    };
    const undisturbed = (await runFrom(0)).words;
    const expected: Word[] = [];
    const openings = [0, ...disturbed.resumes];
    for (const [i, tick] of openings.entries()) {
      const upTo = openings[i + 1] ?? Infinity;
      const words = i === 0 ? undisturbed : (await runFrom(tick)).words;
      expected.push(...words.filter(({ startTick, endTick }) => startTick + endTick < 2 * upTo));
    }
    add(againstExpected, compare(expected, disturbed.words));
    add(againstUndisturbed, compare(undisturbed, disturbed.words));
    wordCount += disturbed.words.length;
  };
  for (let i = 0; i < sample.length; i += COMPARED_AT_ONCE) {
    await Promise.all(sample.slice(i, i + COMPARED_AT_ONCE).map(compareOne));
  }
  await fleet.stop();
  await (standby ?? replacement)!.drain();
  await words.close();
  rmSync(runDir, { recursive: true, force: true });
  return {
    channels: count,
    headroomBefore,
    recoveredSeconds,
    worstLagSeconds,
    compared: sample.length,
    words: wordCount,
    againstExpected,
    againstUndisturbed,
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
