/** Models as published in the engine itself: worker thread, channels, decoder. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { leadSamples } from '../../src/features/front-end.ts';
import { startBareEngine } from '../support/bare-engine.ts';
import {
  nemoCtcFolder,
  nemoTransducerFolder,
  zipformerTransducerFolder,
} from '../support/generated/models.ts';
import { channelNamed } from '../support/rig.ts';
import { sherpa } from '../support/sherpa.ts';
import { canSpeak, concatenate, silence, speak } from '../support/speech.ts';

let root: string;
beforeAll(() => void (root = mkdtempSync(join(tmpdir(), 'es-published-'))));
afterAll(() => rmSync(root, { recursive: true }));

const SUFFIX = '-epoch-99-avg-1-chunk-16-left-128.onnx';
const letters = (text: string): string => text.replaceAll(' ', '');

describe.skipIf(!canSpeak)('a published model in the engine', () => {
  test('writes what sherpa-onnx writes, in lower case, on channels of its own pace', async () => {
    const folder = join(root, 'transducer');
    zipformerTransducerFolder(folder, 4);
    const speech = [
      speak('slt', 'hello i would like to speak to somebody about the bill'),
      speak('kal', 'one moment please let me look at your account'),
      speak('slt', 'it came last week'),
    ];
    const file = (part: string): string => join(folder, part + SUFFIX);
    const lead = new Int16Array(leadSamples(45, 32));
    const results = await sherpa(
      {
        transducer: { encoder: file('encoder'), decoder: file('decoder'), joiner: file('joiner') },
        tokens: join(folder, 'tokens.txt'),
      },
      speech.map((pcm) => concatenate(lead, pcm, silence(3000))),
      8000,
    );
    const bare = await startBareEngine(4, { folder, sizes: [1, 4] });
    try {
      const names = speech.map((_, i) => channelNamed('published', i));
      await Promise.all(speech.map((pcm, i) => bare.play(names[i]!, pcm)));
      for (const [i, name] of names.entries()) {
        const words = bare.heard.words(name);
        const own = letters(words.map(({ text }) => text).join(''));
        expect(own.length).toBeGreaterThan(20);
        // sherpa-onnx heard more silence after the end.
        const theirs = letters(results[i]!.text.toLowerCase());
        expect(theirs.slice(0, own.length)).toBe(own);
        expect(words[0]!.text).toBe(results[i]!.text.trim().toLowerCase().split(' ')[0]);
        for (const [w, word] of words.entries()) {
          expect(word.startTick).toBeLessThan(word.endTick);
          expect(word.startTick).toBeGreaterThanOrEqual(words[w - 1]?.endTick ?? 0);
          expect(word.confidence).toBeGreaterThan(0);
          expect(word.confidence).toBeLessThanOrEqual(1);
        }
        expect(words.at(-1)!.endTick).toBeLessThanOrEqual(speech[i]!.length);
      }
    } finally {
      await bare.stop();
    }
  });

  test.each([
    ['NeMo CTC', (folder: string) => nemoCtcFolder(folder, 2)],
    ['NeMo transducer', (folder: string) => nemoTransducerFolder(folder, 22, true)],
  ] as const)(
    'of the family %s gives a channel the same words alone and among others',
    async (name, make) => {
      const folder = join(root, name);
      make(folder);
      const pcm = speak('slt', 'hello i would like to speak to somebody about the bill');
      const bare = await startBareEngine(8, { folder, sizes: [1, 4, 8] });
      try {
        await bare.play(channelNamed('alone'), pcm);
        const together = Array.from({ length: 8 }, (_, i) => channelNamed('together', i));
        await Promise.all(
          together.map((channel, i) => bare.play(channel, i === 3 ? pcm : speak('kal', `call ${i} of many`))),
        );
        const alone = bare.heard.words(channelNamed('alone'));
        expect(alone.length).toBeGreaterThan(3);
        expect(bare.heard.words(together[3]!)).toEqual(alone);
        expect(Math.max(...bare.steps.map(({ rows }) => rows))).toBeGreaterThan(1);
      } finally {
        await bare.stop();
      }
    },
  );
});
