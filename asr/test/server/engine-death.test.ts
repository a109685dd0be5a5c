import { expect, test } from 'vitest';
import { EngineProcess } from '../support/engine-process.ts';
import { compare, killAndRecover } from '../support/recovery.ts';
import { MediaEnd, WordsEnd, channelNamed, makeRunDir, until } from '../support/rig.ts';
import { canSpeak, speechTape } from '../support/speech.ts';

test.skipIf(!canSpeak)(
  'an engine that is killed under its channels loses and doubles no word: another goes on from the committed ticks (needs flite)',
  { timeout: 180_000 },
  async () => {
    const result = await killAndRecover({
      channels: 12,
      tape: speechTape(),
      gated: false,
      secondsBefore: 6,
      secondsAfter: 8,
      by: 'standby',
    });
    console.log(`after the kill: ${JSON.stringify(result)}`);
    expect(result.difference).toEqual({ lost: 0, doubled: 0, changed: 0 });
    expect(result.compared).toBe(12);
    expect(result.words).toBeGreaterThan(12 * 20);
  },
);

test('the comparison sees a word that is lost, one that is doubled and one that is changed', () => {
  const word = (text: string, startTick: number): object => ({
    text,
    startTick,
    endTick: startTick + 100,
    confidence: 1,
  });
  const words = (...list: object[]): Parameters<typeof compare>[0] => list as never;
  const reference = words(word('one', 0), word('two', 100), word('three', 300));
  expect(compare(reference, reference)).toEqual({ lost: 0, doubled: 0, changed: 0 });
  expect(compare(reference, words(word('one', 0), word('three', 300)))).toMatchObject({
    lost: 1,
    doubled: 0,
  });
  expect(
    compare(reference, words(word('one', 0), word('two', 100), word('two', 110), word('three', 300))),
  ).toMatchObject({ lost: 0, doubled: 1 });
  expect(
    compare(reference, words(word('one', 0), word('two', 100), word('three', 300), word('four', 900))),
  ).toMatchObject({ doubled: 1 });
  expect(compare(reference, words(word('one', 0), word('too', 90), word('three', 310)))).toMatchObject({
    changed: 1,
  });
});

test(
  'an engine that is drained amid its work gives the channels back and ends in order',
  { timeout: 120_000 },
  async () => {
    const runDir = makeRunDir();
    const words = await WordsEnd.listen(runDir);
    const engine = await EngineProcess.start(runDir, 0);
    const media = new MediaEnd(runDir);
    await until('the links', () => media.up && words.connections > 0);
    const tape = speechTape();
    const channels = Array.from({ length: 40 }, (_, i) => channelNamed(`drain-${i}`));
    for (const channel of channels) media.open(channel);
    for (const channel of channels) {
      await until('credit', () => media.creditOf(channel) !== null);
      media.send(
        { type: 'audio', channel, attempt: 1, startTick: 0, arrivalUs: 0 },
        tape.subarray(0, media.creditOf(channel)!),
      );
    }
    await until('work', () => media.messages.some((m) => m.type === 'credit' && m.decidedTick > 0));
    expect(await engine.drain()).toBe(0);
    await until('the losses', () => channels.every((channel) => media.lost(channel).length === 1));
    expect(new Set(channels.map((channel) => media.lost(channel)[0]!.code))).toEqual(
      new Set(['ENGINE_DRAINING']),
    );
    media.close();
    await words.close();
  },
);
