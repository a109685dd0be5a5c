import { type ChannelId, type FromAsr, type ToAsr, type VocabularyList, sockets } from '@earshot/contracts';
import { Dialer, createLog } from '@earshot/platform';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { ChannelHost } from '../../src/engine/channel-host.ts';
import type { ChannelOpening } from '../../src/engine/channel.ts';
import { serveHost } from '../../src/server/serve-host.ts';
import { Vocabulary } from '../../src/server/vocabulary.ts';
import { WordsEnd, channelNamed, makeRunDir, startRig, until } from '../support/rig.ts';
import { canSpeak, concatenate, silence, speak } from '../support/speech.ts';

const list = (name: string, ...phrases: readonly (readonly [string, number])[]): VocabularyList => ({
  name,
  phrases: phrases.map(([text, boost]) => ({ text, boost })),
});

describe('the phrases of a channel', () => {
  const vocabulary = new Vocabulary();
  vocabulary.set([
    list('default', ['earshot', 2]),
    list('billing', ['invoice', 1], ['earshot', 5]),
    list('support', ['drachtio', 3], ['invoice', 4]),
  ]);

  test('are those of the lists that its call names, each once and as strong as in its strongest list', () => {
    expect(vocabulary.phrasesOf(['billing', 'support'])).toEqual([
      { text: 'invoice', boost: 4 },
      { text: 'earshot', boost: 5 },
      { text: 'drachtio', boost: 3 },
    ]);
  });

  test('are those of the default list when the call names none, and none when it names no list', () => {
    expect(vocabulary.phrasesOf(undefined)).toEqual([{ text: 'earshot', boost: 2 }]);
    expect(vocabulary.phrasesOf([])).toEqual([]);
    expect(new Vocabulary().phrasesOf(undefined)).toEqual([]);
  });

  test('leave out lists that do not exist', () => {
    expect(vocabulary.phrasesOf(['gone', 'support'])).toHaveLength(2);
  });

  test('are a thousand at most', () => {
    const large = new Vocabulary();
    const many = Array.from({ length: 1500 }, (_, i) => [`phrase ${i}`, 1] as const);
    large.set([list('many', ...many), list('more', ['phrase 3', 9], ['another', 1])]);
    const phrases = large.phrasesOf(['many', 'more']);
    expect(phrases).toHaveLength(1000);
    expect(phrases[3]).toEqual({ text: 'phrase 3', boost: 9 });
  });
});

/** Keeps what it is told. */
class KeepingHost implements ChannelHost {
  readonly channelCount = 0;
  readonly headroom = 1;
  readonly openings: ChannelOpening[] = [];
  readonly finalised: string[] = [];
  open(opening: ChannelOpening): void {
    this.openings.push(opening);
  }
  finalise(id: string): void {
    this.finalised.push(id);
  }
  audio(): void {}
  gap(): void {}
  end(): void {}
  close(): void {}
  closeOwner(): void {}
  lose(): void {}
  loseAll(): void {}
  resume(): void {}
  tick(): void {}
  stop(): void {}
}

test('a channel is opened with what its call asks for, and with the lists as they are then', async () => {
  const runDir = makeRunDir();
  const words = await WordsEnd.listen(runDir);
  const host = new KeepingHost();
  const served = await serveHost({
    runDir,
    instance: 0,
    model: 'none',
    chunkMs: 100,
    log: createLog('asr-test', 'silent'),
    makeHost: () => host,
  });
  let up = false;
  const media = new Dialer<FromAsr, ToAsr>(join(runDir, sockets.audio(0)), {
    open: () => (up = true),
    message: () => undefined,
    lost: () => undefined,
  });
  await until('the links', () => up && words.messages.length > 0);
  const open = async (config: object): Promise<ChannelOpening> => {
    const count = host.openings.length;
    const channel = channelNamed('asks', count);
    media.send({
      type: 'open',
      channel,
      attempt: 1,
      fromTick: 0,
      outputFromTick: 0,
      config: { priority: 'live', ...config },
    });
    return until('the opening', () => host.openings[count]);
  };
  /** What is sent on one socket is not ordered with what is sent on the other. */
  const say = async (lists: readonly VocabularyList[]): Promise<void> => {
    words.send({ type: 'vocabulary', lists });
    words.send({ type: 'finalise', channel: channelNamed('marker') });
    const count = host.finalised.length;
    await until('the lists', () => host.finalised.length > count);
  };
  expect(await open({})).toMatchObject({ live: true, maxDelayMs: null, phrases: [] });
  await say([list('default', ['earshot', 2]), list('names', ['quickly', 1])]);
  expect((await open({})).phrases).toEqual([{ text: 'earshot', boost: 2 }]);
  expect(await open({ vocabulary: ['names', 'default'], maxDelayMs: 700 })).toMatchObject({
    maxDelayMs: 700,
    phrases: [
      { text: 'quickly', boost: 1 },
      { text: 'earshot', boost: 2 },
    ],
  });
  await say([list('names', ['slowly', 3])]);
  expect((await open({ vocabulary: ['names', 'default'] })).phrases).toEqual([{ text: 'slowly', boost: 3 }]);
  media.close();
  await served.drain();
  await words.close();
  rmSync(runDir, { recursive: true });
});

test.skipIf(!canSpeak)(
  'what was said so far becomes final when somebody asks, and nothing is lost or doubled (needs flite)',
  { timeout: 120_000 },
  async () => {
    const rig = await startRig();
    // No pause that would end the segment: only the request does.
    const first = concatenate(speak('slt', 'i would like to check the balance on my account'), silence(500));
    const second = speak('slt', 'please hold while i look at your account');
    const play = async (channel: ChannelId, between: () => Promise<void>): Promise<void> => {
      rig.media.open(channel);
      const tick = await rig.media.audio(channel, 0, first);
      await between();
      const end = await rig.media.audio(channel, tick, second);
      rig.media.send({ type: 'end', channel, attempt: 1, tick: end });
      await rig.words.ended(channel);
    };
    const asked = channelNamed('asked');
    await play(asked, async () => {
      await until('most of it', () => (rig.words.ofChannel(asked, 'partial').at(-1)?.words.length ?? 0) > 5);
      expect(rig.words.ofChannel(asked, 'final')).toEqual([]);
      rig.words.send({ type: 'finalise', channel: channelNamed('unknown') });
      rig.words.send({ type: 'finalise', channel: asked });
      const final = await until('the final', () => rig.words.ofChannel(asked, 'final')[0]);
      expect(final.endpoint).toBe('request');
      expect(final.words.length).toBeGreaterThan(5);
    });
    const plain = channelNamed('plain');
    await play(plain, () => Promise.resolve());
    expect(rig.words.ofChannel(plain, 'final').map(({ endpoint }) => endpoint)).not.toContain('request');
    expect(rig.words.text(asked)).toBe(rig.words.text(plain));
    await rig.stop();
  },
);
