import type { VocabularyPhrase } from '@earshot/contracts';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DecoderOptions } from '../../src/decode/channel-decoder.ts';
import { Harness, blanks, expectSound, outline, pieces, play, replay, sureLogs, talk } from './harness.ts';

const phrases: readonly VocabularyPhrase[] = [
  { text: 'cab', boost: 0 },
  { text: 'do ca', boost: 0 },
];
const delays = fc.option(fc.integer({ min: 300 * 8, max: 6000 * 8 }));

describe('a channel with phrases', { timeout: 120_000 }, () => {
  test('makes the same segments as one without where the tokens are sure and the phrases are worth nothing', () => {
    fc.assert(
      fc.property(talk(), delays, ({ stretches, endTick }, maxDelayTicks) => {
        const options: Partial<DecoderOptions> = { fromTick: stretches[0]!.fromTick, maxDelayTicks };
        const plain = play(new Harness(options), stretches, endTick);
        const boosted = play(new Harness({ ...options, phrases }, sureLogs), stretches, endTick);
        expectSound(boosted.finals, options.fromTick!);
        expect(outline(boosted.finals)).toEqual(outline(plain.finals));
        expect(boosted.settled).toEqual(plain.settled);
      }),
    );
  });

  test('loses and doubles no word in a replay from any settled tick', () => {
    fc.assert(
      fc.property(talk(), delays, ({ stretches, endTick }, maxDelayTicks) => {
        const options: Partial<DecoderOptions> = { maxDelayTicks, phrases };
        const first = play(
          new Harness({ ...options, fromTick: stretches[0]!.fromTick }, sureLogs),
          stretches,
          endTick,
        );
        for (const tick of new Set(first.settled)) {
          const again = replay(stretches, endTick, tick, options, sureLogs);
          expect(outline(again.finals)).toEqual(
            outline(first.finals.filter((final) => final.fromTick >= tick)),
          );
        }
      }),
      { numRuns: 50 },
    );
  });

  test('a phrase that the best tokens miss by little is heard, and one that is far from what was said is not', () => {
    // `▁do` and then `b` or, a little likelier, `a`.
    const chunk = (): Float32Array => {
      const close = sureLogs([0, 5, 0, 0, 0]);
      for (const [id, p] of [
        [2, 0.5],
        [3, 0.3],
        [0, 0.15],
      ] as const) {
        close[2 * pieces.length + id] = Math.log(p);
      }
      return close;
    };
    const heard = (text: string, boost: number): string[] => {
      const harness = new Harness({ phrases: [{ text, boost }] });
      const best = new Float32Array(5).fill(-0.1);
      harness.decoder.frames(2400, Uint16Array.from([0, 5, 2, 0, 0]), best, 0, 5, chunk());
      for (let i = 0; i < 3; i++) {
        harness.decoder.frames(2400, new Uint16Array(5), best, 0, 5, sureLogs(blanks(5)));
      }
      return harness.texts.flat();
    };
    expect(heard('dob', 0)).toEqual(['doa']);
    expect(heard('dob', 2)).toEqual(['dob']);
    expect(heard('cab', 2)).toEqual(['doa']);
  });

  test('phrases that the model cannot write leave the channel as one without', () => {
    const harness = new Harness({ phrases: [{ text: 'xyz', boost: 5 }] });
    expect([harness.decoder.wantsAll, harness.decoder.phraseCount]).toEqual([false, 0]);
    harness.say([4, 2, ...blanks(13)]);
    expect(harness.texts).toEqual([['ca']]);
  });
});
