import { type ChannelId, monoUs } from '@earshot/contracts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { FinalSegment } from '../../src/decode/channel-decoder.ts';
import { type BareEngine, startBareEngine } from '../support/bare-engine.ts';
import { channelNamed, openingOf, until } from '../support/rig.ts';
import { TAPE_SENTENCES, bytesOf, canSpeak, concatenate, silence, speak } from '../support/speech.ts';

const CHANNELS = 200;
const LOUD = 77;

/** As loud as a channel can be: speech far over full scale, clipped, with noise. */
function shout(pcm: Int16Array): Int16Array {
  let seed = 7;
  return pcm.map((sample) => {
    seed = (Math.imul(seed, 1103515245) + 12345) | 0;
    return Math.max(-32768, Math.min(32767, sample * 40 + (seed >> 16)));
  });
}

/** Each channel its own sentence, level and beginning. */
function inputOf(index: number): Int16Array {
  const sentence = TAPE_SENTENCES[index % TAPE_SENTENCES.length]!;
  const voice = index % 3 === 0 ? 'kal' : 'slt';
  const level = 1 / (1 + (index % 5));
  const spoken = speak(voice, sentence).map((sample) => Math.round(sample * level));
  return concatenate(silence((index * 37) % 610), index === LOUD ? shout(spoken) : spoken, silence(100));
}

describe.skipIf(!canSpeak)('two hundred channels, one of which shouts (needs flite)', () => {
  let bare: BareEngine;
  /** Runs no batch of more than one. */
  let single: BareEngine;
  beforeAll(async () => {
    [bare, single] = await Promise.all([
      startBareEngine(CHANNELS),
      startBareEngine(CHANNELS, { sizes: [1] }),
    ]);
  });
  afterAll(() => Promise.all([bare.stop(), single.stop()]));

  test(
    'have the same words, times and segments as each of them has alone',
    { timeout: 240_000 },
    async () => {
      const inputs = Array.from({ length: CHANNELS }, (_, i) => inputOf(i));
      const nameOf = (i: number): ChannelId => channelNamed(`${i}`);
      await Promise.all(inputs.map((pcm, i) => bare.play(nameOf(i), pcm)));
      expect(Math.max(...bare.steps.map(({ rows }) => rows))).toBe(64);
      await Promise.all(inputs.map((pcm, i) => single.play(nameOf(i), pcm)));
      expect(Math.max(...single.steps.map(({ size }) => size))).toBe(1);

      let understood = 0;
      const of = (finals: readonly FinalSegment[]): object[] =>
        finals.map(({ words, ...segment }) => ({
          ...segment,
          words: words.map(({ text, startTick, endTick }) => `${text} ${startTick}-${endTick}`),
        }));
      for (const i of inputs.keys()) {
        const together = bare.heard.finals.get(nameOf(i)) ?? [];
        const alone = single.heard.finals.get(nameOf(i)) ?? [];
        expect(of(together), `channel ${i}`).toEqual(of(alone));
        const confidences = single.heard.words(nameOf(i)).map(({ confidence }) => confidence);
        for (const [at, { confidence }] of bare.heard.words(nameOf(i)).entries()) {
          expect(confidence).toBeCloseTo(confidences[at]!, 2);
        }
        if (confidences.length >= 4) understood++;
      }
      // Otherwise nothing was compared.
      expect(understood).toBeGreaterThan(0.75 * CHANNELS);

      // And with nobody else on the engine at all.
      for (const i of [0, 76, LOUD, 78, 199]) {
        const alone = channelNamed(`alone-${i}`);
        await single.play(alone, inputs[i]!);
        expect(single.heard.words(alone)).toEqual(single.heard.words(nameOf(i)));
      }
    },
  );
});

test.skipIf(!canSpeak)(
  'a channel in a row that another one left has the words of a fresh one (needs flite)',
  { timeout: 120_000 },
  async () => {
    const bare = await startBareEngine(1, { sizes: [1] });
    const pcm = inputOf(1);
    const first = channelNamed('first');
    const later = channelNamed('later');
    await bare.play(first, pcm);
    // Leaves the row in the middle of a word, while its next chunk is in the model.
    const dirty = channelNamed('dirty');
    const loud = shout(inputOf(2));
    bare.engine.open(openingOf(dirty), bare.heard);
    bare.engine.audio(dirty, 1, 0, monoUs(), bytesOf(loud.subarray(0, 20_000)));
    await until('a chunk', () => (bare.heard.decidedTick.get(dirty) ?? 0) >= 2 * 2400);
    bare.engine.close(dirty, 1);
    expect(bare.engine.freeRowCount).toBe(1);
    await bare.play(later, pcm);
    expect(bare.heard.words(later)).toEqual(bare.heard.words(first));
    expect(bare.heard.words(first).length).toBeGreaterThan(4);
    await bare.stop();
  },
);
