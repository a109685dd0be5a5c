import { setTimeout } from 'node:timers/promises';
import type { CallView } from '@earshot/contracts';
import { expect } from 'vitest';
import type { EarshotProcess } from '../../src/earshot-process.ts';
import { type Lag, lagOf, type Likeness, likeness } from '../../src/signal.ts';
import { decodeWav } from '../../src/wav.ts';

/** A second is enough to find a place by, and few enough multiplications. */
const NEEDLE = 8000;
/** A codec's filters hold back the last milliseconds of what went into them: the end is looked for this much earlier. */
const TAIL = 800;

/** `GET /v1/calls/:id/ledger`, as far as these tests read it. */
export interface LedgerView {
  readonly complete: boolean;
  readonly channels: readonly LedgerChannelView[];
}
export interface LedgerChannelView {
  readonly channel: number;
  readonly durationTicks: number;
  readonly spans: readonly { readonly kind: string; readonly startTick: number; readonly ticks: number }[];
  readonly notes: readonly Record<string, unknown>[];
  readonly sums: Readonly<Record<string, number>>;
}

/** Asks until the answer will do; unlike expect.poll also outside of a test. @throws Error after 30 s */
async function until<T>(what: string, ask: () => Promise<T>, enough: (answer: T) => boolean): Promise<T> {
  const limitMs = performance.now() + 30_000;
  for (;;) {
    const answer = await ask();
    if (enough(answer)) return answer;
    if (performance.now() > limitMs) throw new Error(`${what}: ${JSON.stringify(answer)}`);
    await setTimeout(200);
  }
}

/** The call when its recording is there. */
export const recorded = (earshot: EarshotProcess, id: string): Promise<CallView> =>
  until(
    'no recording',
    () => earshot.get<CallView>(`/v1/calls/${id}`),
    ({ recording }) => recording !== null,
  );

/** The samples of each channel of a call's recording. */
export async function recordingOf(earshot: EarshotProcess, id: string): Promise<readonly Int16Array[]> {
  const response = await fetch(`${earshot.url}/v1/calls/${id}/recording.wav`, {
    headers: { authorization: `Bearer ${earshot.apiKey}` },
  });
  if (!response.ok) throw new Error(`recording.wav: ${response.status}`);
  const { rate, channels } = decodeWav(Buffer.from(await response.arrayBuffer()));
  expect(rate).toBe(8000);
  return channels;
}

/** The complete ledger of a call. Its spans follow each other without a hole and add up, whatever is in them. */
export async function ledgerOf(earshot: EarshotProcess, id: string): Promise<readonly LedgerChannelView[]> {
  const { channels } = await until(
    'no complete ledger',
    () => earshot.get<LedgerView>(`/v1/calls/${id}/ledger`),
    ({ complete }) => complete,
  );
  for (const channel of channels) {
    let tick = 0;
    const sums: Record<string, number> = Object.fromEntries(
      Object.keys(channel.sums).map((kind) => [kind, 0]),
    );
    for (const span of channel.spans) {
      expect(span.startTick).toBe(tick);
      expect(span.ticks).toBeGreaterThan(0);
      tick += span.ticks;
      sums[span.kind] = (sums[span.kind] ?? 0) + span.ticks;
    }
    expect(tick).toBe(channel.durationTicks);
    expect(sums).toEqual(channel.sums);
  }
  return channels;
}

/**
 * That a channel's audio came in one piece: before and after it time passed without packets (until BYE was heard, the clock goes
 * on), in it none did. @returns the tick at which it begins
 */
export function expectUnbroken(ledger: LedgerChannelView, ticks: number, what = ''): number {
  const heard = ledger.spans.filter(({ kind }) => kind !== 'absent');
  expect(
    heard.map(({ kind, ticks: each }) => [kind, each]),
    what,
  ).toEqual([['received', ticks]]);
  return heard[0]!.startTick;
}

export interface Comparison extends Likeness {
  /** Where the source begins in the recording. */
  readonly start: Lag;
  /** By how many samples it is longer in the recording than it was. */
  readonly longer: number;
}

/** Holds a source (8 kHz) against the recording that it is somewhere in, with its beginning at about `expectedTick`. */
export function compared(source: Int16Array, recording: Int16Array, expectedTick: number): Comparison {
  const early = source.subarray(0, NEEDLE);
  const start = lagOf(early, recording, expectedTick - 800, expectedTick + 1600);
  const lateAt = source.length - TAIL - NEEDLE;
  const late = source.subarray(lateAt, lateAt + NEEDLE);
  const wanted = start.at + lateAt;
  const end = lagOf(late, recording, wanted - 1600, wanted + 1600);
  return { start, longer: end.at - wanted, ...likeness(source, recording.subarray(start.at)) };
}
