/**
 * The features themselves against sherpa-onnx's (kaldi-native-fbank): two networks whose tokens say at which level, 0.002
 * apart, a feature was that they saw, another bin in each frame.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { REVEALED, revealingCtcFolder, revealingTransducerFolder } from '../support/generated/models.ts';
import { ModelRun } from '../support/run-model.ts';
import { sherpa } from '../support/sherpa.ts';
import { canSpeak, concatenate, silence, speak } from '../support/speech.ts';

let root: string;
beforeAll(() => void (root = mkdtempSync(join(tmpdir(), 'es-features-'))));
afterAll(() => rmSync(root, { recursive: true }));

const levelOf = (symbol: string): number => Number(symbol.slice(1)) % REVEALED.levels;
const FLOOR_LEVEL = Math.round((Math.log(2 ** -23) - REVEALED.lowest) / REVEALED.level);

describe.skipIf(!canSpeak)('features of resampled telephone speech', () => {
  test.each([
    ['kaldi', revealingCtcFolder, 14 * 80, 1],
    ['nemo', revealingTransducerFolder, 10 * 80, 10],
  ] as const)('of kind %s are those of kaldi-native-fbank, within 0.002', async (kind, make, lead, slots) => {
    const folder = join(root, kind);
    make(folder);
    const pcm = concatenate(
      speak('slt', 'what can i do for you today madam'),
      silence(400),
      speak('kal', 'my number is four two one nine eight seven'),
      speak('slt', 'thank you very much and have a pleasant afternoon'),
    );
    const run = await ModelRun.load(folder, 2, [1]);
    expect(run.description.features).toBe(kind);
    const stream = run.open(1, pcm);
    while (stream.at < pcm.length) await run.step([stream], 1);
    const own = run.emissions(stream, slots).map(({ symbol }) => levelOf(symbol));
    const file = (name: string): string => join(folder, `${name}.onnx`);
    const model =
      kind === 'kaldi'
        ? { zipformer2Ctc: { model: file('model') } }
        : { transducer: { encoder: file('encoder'), decoder: file('decoder'), joiner: file('joiner') } };
    const heard = concatenate(new Int16Array(lead), pcm, silence(2000));
    const [result] = await sherpa({ ...model, tokens: join(folder, 'tokens.txt') }, [heard], 8000);
    const theirs = result!.tokens.slice(0, own.length).map(levelOf);
    expect(theirs).toHaveLength(own.length);
    own.forEach((level, i) => expect(Math.abs(level - theirs[i]!)).toBeLessThanOrEqual(1));
    // Real features, of all heights.
    expect(own.length).toBeGreaterThan(100);
    expect(own.filter((level) => level > FLOOR_LEVEL + 1000).length).toBeGreaterThan(50);
  });
});
