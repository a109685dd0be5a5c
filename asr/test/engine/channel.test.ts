import { expect, test } from 'vitest';
import { Channel } from '../../src/engine/channel.ts';
import { shareBuffers } from '../../src/engine/shared-step.ts';
import type { ChannelOwner, WordsSink } from '../../src/engine/sink.ts';
import { describeModel } from '../../src/models/folder.ts';
import { SHIPPED_MODEL, channelNamed, openingOf } from '../support/rig.ts';

const id = channelNamed('clock');

/** A channel with gaps only, and what was said of it, at the times that the test says. */
function quietChannel(): { channel: Channel; credits: number[]; progress: number[] } {
  const credits: number[] = [];
  const progress: number[] = [];
  const owner: ChannelOwner = {
    credit: (_id, _attempt, _upto, decided) => credits.push(decided),
    lost: () => undefined,
  };
  const sink: WordsSink = {
    congested: false,
    blocked: false,
    partial: () => undefined,
    final: () => undefined,
    progress: (_id, _attempt, decided) => progress.push(decided),
    ended: () => undefined,
  };
  return {
    channel: new Channel(openingOf(id), 0, owner, sink, describeModel(SHIPPED_MODEL)),
    credits,
    progress,
  };
}

test('gaps are reported at most every 250 ms, the last of them too', () => {
  const { channel, credits, progress } = quietChannel();
  for (let ms = 0; ms < 1000; ms += 20) {
    channel.gap((ms + 20) * 8);
    channel.advance(ms);
  }
  expect(progress).toEqual([160, 2240, 4320, 6400]);
  channel.report(1100);
  expect(progress.at(-1)).toBe(8000);
  expect(credits.slice(1)).toEqual(progress);
});

test('a replay of silence as long as the credit gets new credit at once', () => {
  const { channel, credits } = quietChannel();
  for (let upto = 24_000; upto <= 240_000; upto += 24_000) {
    channel.gap(upto);
    channel.advance(0);
  }
  expect(credits.slice(1)).toEqual(Array.from({ length: 10 }, (_, i) => (i + 1) * 24_000));
});

test('what was said more than 3 s ago waits behind live channels, and what follows it is live again', () => {
  const { channel } = quietChannel();
  const second = new Uint8Array(2 * 8000);
  const nowUs = 100_000_000;
  expect(channel.isLive(nowUs)).toBe(true);
  channel.audio(0, nowUs - 5_000_000, second);
  channel.audio(8000, nowUs - 100_000, second);
  expect(channel.isLive(nowUs)).toBe(false);
  const buffers = shareBuffers(describeModel(SHIPPED_MODEL), 1);
  for (let chunk = 0; chunk < 4; chunk++) channel.fill(buffers, 0, 2400);
  expect(channel.isLive(nowUs)).toBe(true);
});
