import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ChannelDecoder, type DecoderOptions, type FinalSegment } from '../../src/decode/channel-decoder.ts';
import { FrameMap } from '../../src/decode/frame-map.ts';
import { readerOf } from '../../src/decode/frame-reader.ts';
import { LanguageModel } from '../../src/decode/language-model.ts';
import { readNgrams } from '../../src/decode/ngram-file.ts';
import { OpenWords } from '../../src/decode/open-words.ts';
import { PrefixBeam } from '../../src/decode/prefix-beam.ts';
import { languageFile, smallNgrams } from '../support/language.ts';
import {
  Harness,
  channel,
  expectSound,
  outline,
  pieces,
  play,
  replay,
  sureLogs,
  talk,
  timing,
} from './harness.ts';

const V = pieces.length;
const model = smallNgrams(
  ['a', 'b', 'c', 'cab', 'do', 'doed', 'dob', 'cb'],
  ['<s> do', 'do cab', 'cab cab', 'c do', '<s> cab'],
  ['do cab cab', '<s> do cab'],
  (gram) => 1 + (gram.length % 4),
);

function languageOf(weight: number): LanguageModel {
  const read = readNgrams(languageFile(model));
  if (!read.ok) throw new Error(read.fault);
  const weights = { weight, insertion: weight, letterCost: 2 * weight, unknownCost: 0 };
  return new LanguageModel(read.ngrams, weights, pieces);
}

describe('a channel with a language model', { timeout: 120_000 }, () => {
  test('makes the same segments as one without where the tokens are sure and the model counts little', () => {
    const language = languageOf(0.01);
    fc.assert(
      fc.property(talk(), ({ stretches, endTick }) => {
        const options: Partial<DecoderOptions> = { fromTick: stretches[0]!.fromTick };
        const plain = play(new Harness(options), stretches, endTick);
        const with_ = play(new Harness({ ...options, language }, sureLogs), stretches, endTick);
        expectSound(with_.finals, options.fromTick!);
        expect(outline(with_.finals)).toEqual(outline(plain.finals));
        expect(with_.settled).toEqual(plain.settled);
      }),
      { numRuns: 50 },
    );
  });

  test('loses and doubles no word in a replay from any settled tick', () => {
    const language = languageOf(0.01);
    fc.assert(
      fc.property(talk(), ({ stretches, endTick }) => {
        const first = play(
          new Harness({ language, fromTick: stretches[0]!.fromTick }, sureLogs),
          stretches,
          endTick,
        );
        for (const tick of new Set(first.settled)) {
          const again = replay(stretches, endTick, tick, { language }, sureLogs);
          expect(outline(again.finals)).toEqual(
            outline(first.finals.filter((final) => final.fromTick >= tick)),
          );
        }
      }),
      { numRuns: 50 },
    );
  });

  test('however unsure the tokens, its finals are in order and its partials are of words that it has', () => {
    const frame = fc.array(fc.integer({ min: 1, max: 99 }), { minLength: V, maxLength: V });
    fc.assert(
      fc.property(
        fc.array(frame, { minLength: 5, maxLength: 600 }),
        fc.boolean(),
        fc.nat(9),
        (frames, phrase, every) => {
          const phrases = phrase ? [{ text: 'cab do', boost: 2 }] : [];
          const harness = new Harness({ language: languageOf(0.7), phrases }, sureLogs);
          for (let i = 0; i + 5 <= frames.length; i += 5) {
            const all = Float32Array.from(
              frames.slice(i, i + 5).flatMap((weights) => {
                const sum = weights.reduce((a, b) => a + b ** 4, 0);
                return weights.map((value) => Math.log(value ** 4 / sum));
              }),
            );
            harness.decoder.frames(2400, new Uint16Array(5), new Float32Array(5), 0, 5, all);
            const open = harness.decoder.openSegment();
            let at = harness.decoder.settledTick;
            for (const { text, startTick, endTick } of open?.words ?? []) {
              expect(text).not.toBe('');
              expect(startTick).toBeGreaterThanOrEqual(at);
              expect(endTick).toBeGreaterThan(startTick);
              at = endTick;
            }
            if (i % (5 * (every + 1)) === 0) harness.decoder.finalise();
          }
          harness.gap(frames.length * 480 + 100_000, 'end');
          expectSound(harness.finals, 0);
        },
      ),
      { numRuns: 60 },
    );
  });
});

/** Pieces that tell where a word begins: with an `x` or a `y`, and nowhere else. */
const marked = ['<blk>', '▁x', '▁y', 'a', 'b'];
const markedModel = smallNgrams(
  ['x', 'xa', 'xab', 'xba', 'y', 'ya', 'yb'],
  ['<s> x', 'x y', 'xa yb', 'y xab'],
  ['<s> x y', 'x y xab'],
  (gram) => 1 + (gram.length % 3),
);

describe('a cut', { timeout: 120_000 }, () => {
  test('is never within a word, however unsure the tokens and whenever it is asked for', () => {
    const read = readNgrams(languageFile(markedModel));
    if (!read.ok) throw new Error(read.fault);
    const weights = { weight: 0.5, insertion: 0.5, letterCost: 0.5, unknownCost: 0 };
    const language = new LanguageModel(read.ngrams, weights, marked);
    const width = marked.length;
    const frame = fc.array(fc.integer({ min: 1, max: 99 }), { minLength: width, maxLength: width });
    const chunk = fc.record({
      frames: fc.array(frame, { minLength: 5, maxLength: 5 }),
      asked: fc.boolean(),
    });
    const chunks = fc.array(chunk, { minLength: 20, maxLength: 120 });
    const delay = fc.option(fc.integer({ min: 3000, max: 30_000 }));
    let cuts = 0;
    fc.assert(
      fc.property(chunks, delay, (input, maxDelayTicks) => {
        /** Whether words stayed open when the segment ended. */
        const parted: boolean[] = [];
        const finals: FinalSegment[] = [];
        const decoder = new ChannelDecoder({
          channel,
          fromTick: 0,
          outputFromTick: 0,
          timing,
          pieces: marked,
          blank: 0,
          language,
          maxDelayTicks,
          onFinal: (segment) => {
            parted.push(decoder.isOpen);
            finals.push(segment);
          },
        });
        for (const { frames, asked } of input) {
          const all = Float32Array.from(
            frames.flatMap((values) => {
              const sum = values.reduce((a, b) => a + b ** 3, 0);
              return values.map((value) => Math.log(value ** 3 / sum));
            }),
          );
          decoder.frames(2400, new Uint16Array(5), new Float32Array(5), 0, 5, all);
          if (asked) decoder.finalise();
        }
        decoder.gap(input.length * 2400 + 10_000, 'end');
        expectSound(finals, 0);
        for (const [i, { words }] of finals.entries()) {
          const behindCut = parted[i - 1] === true;
          if (behindCut) cuts++;
          for (const { text } of words.slice(behindCut ? 0 : 1)) expect(text).toMatch(/^[xy][ab]*$/);
        }
      }),
      { numRuns: 40 },
    );
    expect(cuts).toBeGreaterThan(100);
  });
});

describe('the words of a beam', () => {
  test('are at any time as if they were all read anew, though only those that changed are', () => {
    const frame = fc.array(fc.integer({ min: 1, max: 99 }), { minLength: V, maxLength: V });
    fc.assert(
      fc.property(fc.array(frame, { minLength: 1, maxLength: 60 }), (frames) => {
        const language = languageOf(0.7);
        const newWords = (): OpenWords => {
          const map = new FrameMap();
          map.jump(0);
          map.feed(1e7, 1e7);
          return new OpenWords({ fromTick: 0, outputFromTick: 3000, timing, map, confidence: null });
        };
        const words = newWords();
        const reader = readerOf({ words, timing, pieces, blank: 0, language, phrases: null });
        const beam = new PrefixBeam({ blank: 0, pieces, phrases: null, language });
        const told = { ids: new Uint16Array(1), best: new Float32Array(1) };
        for (const [i, weights] of frames.entries()) {
          const sum = weights.reduce((a, b) => a + b ** 4, 0);
          const all = Float32Array.from(weights, (value) => Math.log(value ** 4 / sum));
          reader.frame({ ...told, all }, 0, i, 0);
          beam.frame(all, 0, i);
          const anew = newWords();
          for (const { id, firstFrame, lastFrame, logProbability } of beam.best()) {
            anew.token(pieces[id]!, firstFrame, logProbability, 0);
            if (lastFrame > firstFrame) anew.extend(lastFrame, logProbability);
          }
          expect(words.visible(0)).toEqual(anew.visible(0));
          expect(words.length).toBe(anew.length);
          if (anew.length > 0) expect(words.lastTokenFrame).toBe(anew.lastTokenFrame);
        }
      }),
      { numRuns: 100 },
    );
  });
});
