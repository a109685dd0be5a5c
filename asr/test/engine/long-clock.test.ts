import { expect, test } from 'vitest';
import { startBareEngine } from '../support/bare-engine.ts';
import { channelNamed } from '../support/rig.ts';
import { TAPE_SENTENCES, canSpeak, concatenate, silence, speak } from '../support/speech.ts';

const HUNDRED_DAYS = 100 * 24 * 3600 * 8000;

test.skipIf(!canSpeak)(
  'a channel that is a hundred days old has the words of a new one, at its own times (needs flite)',
  { timeout: 120_000 },
  async () => {
    expect(HUNDRED_DAYS).toBeGreaterThan(2 ** 36);
    const bare = await startBareEngine(1, { sizes: [1] });
    const pcm = concatenate(
      speak('slt', TAPE_SENTENCES[0]!),
      silence(1200),
      speak('kal', TAPE_SENTENCES[2]!),
      silence(200),
    );
    const young = channelNamed('young');
    const old = channelNamed('old');
    await bare.play(young, pcm);
    await bare.play(old, pcm, { fromTick: HUNDRED_DAYS });
    const shifted = (bare.heard.finals.get(young) ?? []).map((segment) => ({
      ...segment,
      segmentId: `${old}@${segment.fromTick + HUNDRED_DAYS}`,
      fromTick: segment.fromTick + HUNDRED_DAYS,
      toTick: segment.toTick + HUNDRED_DAYS,
      words: segment.words.map((word) => ({
        ...word,
        startTick: word.startTick + HUNDRED_DAYS,
        endTick: word.endTick + HUNDRED_DAYS,
      })),
    }));
    expect(shifted.length).toBe(2);
    expect(bare.heard.finals.get(old)).toEqual(shifted);
    expect(bare.heard.endedAt.get(old)).toBe(HUNDRED_DAYS + pcm.length);
    await bare.stop();
  },
);
