import { beforeAll, describe, expect, test } from 'vitest';
import { describeModel } from '../../src/models/folder.ts';
import { SHIPPED_MODEL } from '../support/rig.ts';
import { type AlignedSpeech, canSpeak, padded, speakAligned, throughG711 } from './aligned-speech.ts';
import { judge, judgedWords } from './calibration.ts';
import { sentences } from './sentences.ts';
import { Bench, type Transcript } from './transcribe.ts';
import { type TestSentence, errorsIn, partialsIn, recognised, spokenTest, summary } from './word-times.ts';

/** Seconds on a machine of its own; other suites and a training may run beside it. */
const LIMIT_MS = 600_000;
/** Names that are not in the training's word lists. */
const NAMES = [
  'kowalski',
  'hernandez',
  'salesforce',
  'bratislava',
  'wolfram',
  'genesys',
  'asterisk',
  'nakamura',
];
const CARRIERS = ['my name is * and i am calling about my order', 'i would like to speak to * please'];

describe.skipIf(!canSpeak)('the shipped model with its settings (needs flite)', () => {
  let bench: Bench;
  let spoken: TestSentence[];
  let transcripts: Transcript[];
  beforeAll(async () => {
    bench = await Bench.load(describeModel(SHIPPED_MODEL));
    spoken = spokenTest(64, 11);
    transcripts = await recognised(bench, spoken);
  }, LIMIT_MS);

  test('words begin and end within 80 ms (p90) of where they are in the speech', () => {
    const { start, end } = summary(errorsIn(spoken, transcripts));
    console.log(`word times, ms: ${JSON.stringify({ start, end })}`);
    expect(start.words).toBeGreaterThan(200);
    expect(start.p90).toBeLessThanOrEqual(80);
    expect(end.p90).toBeLessThanOrEqual(80);
  });

  test('at most 2 % of the words in partials change, and 95 % are shown after less than 0.7 s of audio', () => {
    const partials = partialsIn(spoken, transcripts);
    console.log(`partials: ${JSON.stringify(partials)}`);
    expect(partials.shown).toBeGreaterThan(300);
    expect(partials.share).toBeLessThan(0.02);
    expect(partials.latencyMs.p95).toBeLessThan(700);
  });

  test(
    'of the words with a confidence such a share is right',
    async () => {
      const judged = judge(await judgedWords(bench, spoken.slice(0, 24)), bench.model.confidence);
      console.log(`confidence: ${JSON.stringify(judged)}`);
      expect(judged.words).toBeGreaterThan(400);
      expect(judged.ece).toBeLessThan(0.12);
      expect(judged.auc).toBeGreaterThan(0.75);
    },
    LIMIT_MS,
  );

  test(
    'phrases bring names that it gets wrong, and are not put into speech without them',
    async () => {
      const texts = NAMES.flatMap((name) =>
        CARRIERS.map((carrier) => ({ name, text: carrier.replace('*', name) })),
      );
      const items = texts.flatMap(({ name, text }, i) => {
        const speech = speakAligned(i % 3 === 0 ? 'slt' : 'kal16', text);
        return speech === null ? [] : [{ name, heard: telephone(speech) }];
      });
      const phrases = NAMES.map((text) => ({ text, boost: 3 }));
      const right = ({ words }: Transcript, i: number): boolean =>
        words.some(({ text }) => text === items[i]!.name);
      const plain = (await bench.transcribe(items.map(({ heard }) => ({ pcm: heard })))).map(right);
      const boosted = (await bench.transcribe(items.map(({ heard }) => ({ pcm: heard, phrases })))).map(
        right,
      );
      const wrong = plain.filter((is) => !is).length;
      const brought = boosted.filter((is, i) => is && !plain[i]).length;
      const without = await bench.transcribe(
        spoken.slice(0, 40).map(({ heard }) => ({ pcm: heard, phrases })),
      );
      const words = without.flatMap((transcript) => transcript.words);
      const inserted = words.filter(({ text }) => NAMES.includes(text)).length;
      console.log(
        `phrases: ${wrong} of ${items.length} names wrong, ${brought} of them right with phrases; ` +
          `${inserted} put into ${words.length} words without them`,
      );
      expect(wrong).toBeGreaterThan(0);
      expect(brought / wrong).toBeGreaterThan(0.25);
      expect(boosted.filter((is, i) => !is && plain[i]).length).toBe(0);
      expect(inserted / words.length).toBeLessThan(0.01);
    },
    LIMIT_MS,
  );
});

const telephone = ({ pcm }: AlignedSpeech): Int16Array => throughG711(padded(pcm, 400, 600), 'mu');

describe('the test sentences', () => {
  test('are the same for the same seed, and others for another', () => {
    expect(sentences(50, 1)).toEqual(sentences(50, 1));
    expect(sentences(50, 1)).not.toEqual(sentences(50, 2));
    for (const sentence of sentences(200, 3)) expect(sentence).toMatch(/^[a-z]+( [a-z]+)*$/);
  });
});
