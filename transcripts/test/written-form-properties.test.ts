import type { SpokenWord, WrittenForm, WrittenFormRules } from '../src/written-form/index.ts';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { segmentViewOf } from '../src/assemble/segment.ts';
import { englishRules, identityRules, rulesOf } from '../src/written-form/index.ts';
import { sentenceCase } from '../src/written-form/identity.ts';
import { type Endpoint, channelIdOf, newCallId } from '@earshot/contracts';
import { GOLDEN } from './written-form-golden.ts';
import { spoken } from './written-form-spoken.ts';

const write = (text: string, partial = false): WrittenForm => englishRules.write(spoken(text), { partial });

/** Every word that the golden table says, so that the rules meet in ways that nobody thought of. */
const lines = Object.values(GOLDEN).flat();
const vocabulary = [...new Set(lines.flatMap(([said]) => said.split(' ')).filter((word) => word !== '|'))];
const sentence = fc
  .array(fc.constantFrom(...vocabulary), { minLength: 1, maxLength: 25 })
  .map((words) => words.join(' '));
/** Words that no line of the table has in a number, a date or the like. */
const inSpans = new Set(
  lines.flatMap(([said]) => {
    const words = said.split(' ').filter((word) => word !== '|');
    return write(said).spans.flatMap((span) => words.slice(span.fromWord, span.toWord));
  }),
);
const plainSentence = fc
  .array(fc.constantFrom(...vocabulary.filter((word) => !inSpans.has(word))), { minLength: 1, maxLength: 25 })
  .map((words) => words.join(' '));
const anyText = fc.array(
  fc.oneof(fc.constantFrom(...vocabulary), fc.string(), fc.string({ unit: 'binary' })),
  { maxLength: 20 },
);

/** Without casing, apostrophes and punctuation. */
const bare = (text: string): string => text.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '');

describe('whatever the words', () => {
  test('nothing is thrown, spans come in order without overlap, and lie in the text where they say', () => {
    fc.assert(
      fc.property(anyText, fc.boolean(), fc.integer({ min: 0, max: 9000 }), (texts, partial, gap) => {
        const words = texts.map((text, i) => ({
          text,
          startTick: i * (gap + 10),
          endTick: i * (gap + 10) + 10,
        }));
        const { text, spans } = englishRules.write(words, { partial });
        let word = 0;
        let char = 0;
        for (const span of spans) {
          expect(span.fromWord).toBeGreaterThanOrEqual(word);
          expect(span.toWord).toBeGreaterThan(span.fromWord);
          expect(span.fromChar).toBeGreaterThanOrEqual(char);
          expect(text.slice(span.fromChar, span.fromChar + span.text.length)).toBe(span.text);
          word = span.toWord;
          char = span.fromChar + span.text.length;
        }
        expect(word).toBeLessThanOrEqual(words.length);
      }),
    );
  });

  test('words outside of spans are as said, but for casing, apostrophes and punctuation', () => {
    fc.assert(
      fc.property(sentence, fc.boolean(), (said, partial) => {
        const words = said.split(' ');
        const { text, spans } = write(said, partial);
        let rest = '';
        let plain = '';
        let char = 0;
        let word = 0;
        for (const span of spans) {
          rest += text.slice(char, span.fromChar);
          plain += words.slice(word, span.fromWord).join('');
          char = span.fromChar + span.text.length;
          word = span.toWord;
        }
        expect(bare(rest + text.slice(char))).toBe(bare(plain + words.slice(word).join('')));
      }),
      { numRuns: 500 },
    );
  });

  test('what is written already is left as it is', () => {
    fc.assert(
      fc.property(plainSentence, (said) => {
        const once = write(said).text;
        expect(write(once).text).toBe(once);
      }),
      { numRuns: 300 },
    );
  });

  test('a partial has no sign after its last word', () => {
    fc.assert(
      fc.property(sentence, (said) => {
        const last = said.split(' ').at(-1) ?? '';
        if (!/[.,?!]$/u.test(last)) expect(write(said, true).text).not.toMatch(/[.,?!]$/u);
      }),
    );
  });
});

describe('partials', () => {
  /** Characters shown already that are other ones after the next word, of all characters shown. */
  function flicker(sentences: readonly string[], write: (words: readonly SpokenWord[]) => string): number {
    let shown = 0;
    let changed = 0;
    for (const said of sentences) {
      const words = spoken(said);
      let before = '';
      for (let count = 1; count <= words.length; count++) {
        const now = write(words.slice(0, count));
        let same = 0;
        while (same < before.length && before[same] === now[same]) same++;
        shown += before.length;
        changed += before.length - same;
        before = now;
      }
    }
    return changed / shown;
  }
  const as = (partial: boolean) => (words: readonly SpokenWord[]) =>
    englishRules.write(words, { partial }).text;
  const sentences = lines.map(([said]) => said);

  test('change little of what they have shown, though every line of the table is about numbers and names', () => {
    expect(flicker(sentences, as(true))).toBeLessThan(0.08);
    expect(flicker(sentences, as(false))).toBeGreaterThan(flicker(sentences, as(true)));
  });

  test('keep every word of plain speech as it was shown', () => {
    const plain = [
      'i would like to talk about the bill that came last week',
      'yes that is fine but i need to go now',
    ];
    expect(flicker(plain, as(true))).toBe(0);
  });

  test('are at the end what the final is, but for grouping and the last sign', () => {
    // Money alone waits for what follows: "five pounds ninety nine" may still become "ninety nine people".
    const waits = /(?:pounds|euros|dollars) [a-z]+(?: [a-z]+)?$/u;
    for (const said of sentences.filter((line) => !waits.test(line)))
      expect(bare(write(said, true).text)).toBe(bare(write(said).text));
  });
});

describe('digits', () => {
  const names = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'];
  const atom = fc.oneof(
    fc.nat(9).map((digit) => ({ said: names[digit]!, written: String(digit) })),
    fc.constantFrom('oh', 'o').map((said) => ({ said, written: '0' })),
    fc.record({ digit: fc.nat(9), times: fc.constantFrom(2, 3) }).map(({ digit, times }) => ({
      said: `${times === 2 ? 'double' : 'triple'} ${names[digit]!}`,
      written: String(digit).repeat(times),
    })),
    fc.integer({ min: 10, max: 19 }).map((value) => ({
      said: 'ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen'.split(' ')[
        value - 10
      ]!,
      written: String(value),
    })),
  );
  const run = fc
    .tuple(
      fc.nat(9).map((digit) => ({ said: names[digit]!, written: String(digit) })),
      fc.array(atom, { minLength: 3, maxLength: 24 }),
    )
    .map(([first, others]) => [first, ...others]);
  const around = fc.constantFrom(
    ['', ''],
    ['my number is ', ' thank you'],
    ['the card is ', ''],
    ['my account number is ', ' and my name is anna'],
    ['call me on ', ' tomorrow'],
    ['it expires ', ''],
    ['the order number was ', ' but nothing came'],
    ['my social security number is ', ''],
  );

  test('that are dictated are all written, in order, none more', () => {
    fc.assert(
      fc.property(run, around, fc.boolean(), (atoms, [before, after], partial) => {
        const said = atoms.map((one) => one.said).join(' ');
        const { text } = write(`${before}${said}${after}`, partial);
        expect(text.replace(/\D/gu, '')).toBe(atoms.map((one) => one.written).join(''));
      }),
      { numRuns: 1000 },
    );
  });

  test('of a cardinal below a million are those of its value', () => {
    fc.assert(
      fc.property(fc.integer({ min: 10, max: 999_999 }), (value) => {
        const { text, spans } = write(`there were ${inWords(value)} of them`);
        expect(Number(text.replace(/\D/gu, ''))).toBe(value);
        expect(spans).toHaveLength(1);
      }),
      { numRuns: 500 },
    );
  });

  test('of two round numbers in a row are those of the two, never of a third', () => {
    const scale = fc.constantFrom('hundred', 'thousand', 'million');
    const digit = fc.integer({ min: 1, max: 9 });
    fc.assert(
      fc.property(digit, digit, scale, fc.constantFrom(' ', ' and '), (one, other, size, joint) => {
        const { text } = write(`there were ${names[one]!} ${size}${joint}${names[other]!} ${size} of them`);
        const zeros = { hundred: '00', thousand: '000', million: '' }[size];
        expect(text.replace(/\D/gu, '')).toBe(`${one}${zeros}${other}${zeros}`);
      }),
    );
  });

  const TENS = 'twenty thirty forty fifty sixty seventy eighty ninety'.split(' ');
  const SMALL = [
    ...names,
    ...'ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen'.split(' '),
  ];
  function inWords(value: number): string {
    if (value < 20) return SMALL[value]!;
    const rest = (size: number, joint: string): string =>
      value % size === 0 ? '' : `${joint}${inWords(value % size)}`;
    if (value < 100) return `${TENS[Math.floor(value / 10) - 2]!}${rest(10, ' ')}`;
    if (value < 1000) return `${names[Math.floor(value / 100)]!} hundred${rest(100, ' and ')}`;
    return `${inWords(Math.floor(value / 1000))} thousand${rest(1000, value % 1000 < 100 ? ' and ' : ' ')}`;
  }
});

describe('spans say what was found', () => {
  test.each([
    [
      'my card is four one one one one one one one one one one one one one one one',
      'card',
      '4111 1111 1111 1111',
    ],
    ['my account number is five five five oh one four four', 'digits', '5550144'],
    ['my phone is five five five oh one four four', 'phone', '555-0144'],
    ['write to ann dot lee at example dot com', 'email', 'ann.lee@example.com'],
    ['it was twelve dollars and fifty cents', 'money', '$12.50'],
    ['on march third', 'date', 'March 3'],
    ['at three thirty p m', 'time', '3:30 PM'],
    ['i live at four twenty two oak street', 'address', '422 Oak Street'],
    ['my social security number is one two three four five six seven eight nine', 'ssn', '123-45-6789'],
    ['s m i t h', 'spelled', 'S-M-I-T-H'],
    ['the code is a b one two', 'code', 'AB12'],
    ['five percent', 'percent', '5%'],
  ])('%s: %s', (said, kind, written) => {
    expect(write(said).spans).toMatchObject([{ kind, text: written, toWord: said.split(' ').length }]);
  });
});

describe('profanity', () => {
  const tags = (word: string): readonly string[] => englishRules.tagsOf(word);

  test('is tagged with its endings, whole words only', () => {
    for (const word of ['shit', 'fucking', 'Bullshit', "bitch's", 'assholes'])
      expect(tags(word)).toEqual(['profanity']);
    for (const word of [
      'scunthorpe',
      'assess',
      'class',
      'cocktail',
      'shiitake',
      'dickens',
      'hell',
      'essex',
      'analyst',
    ])
      expect(tags(word)).toEqual([]);
  });

  test('is in the view of the word, and the text is unmasked', () => {
    const words = ['this', 'is', 'bullshit'].map((text, i) => ({
      text,
      startTick: i * 4000,
      endTick: i * 4000 + 3000,
      confidence: 0.9,
    }));
    const view = segmentViewOf(channelIdOf(newCallId(0, new Uint8Array(10)), 0), 'customer', 0, words);
    expect(view.text).toBe('This is bullshit.');
    expect(view.spoken).toBe('this is bullshit');
    expect(view.words.map((word) => word.tags)).toEqual([undefined, undefined, ['profanity']]);
    expect(view.words[0]).not.toHaveProperty('tags');
  });
});

describe('where a segment ends', () => {
  const words = spoken('i would like to talk about my bill').map((word) => ({ ...word, confidence: 1 }));
  const ended = (endpoint?: Endpoint): string =>
    segmentViewOf(channelIdOf(newCallId(0, new Uint8Array(10)), 0), 'customer', 0, words, { endpoint }).text;

  test('a pause closes the sentence, a cut while somebody speaks does not', () => {
    for (const endpoint of [undefined, 'pause', 'gap', 'end'] as const)
      expect(ended(endpoint)).toBe('I would like to talk about my bill.');
    for (const endpoint of ['length', 'request', 'delay'] as const)
      expect(ended(endpoint)).toBe('I would like to talk about my bill');
  });
});

describe('languages', () => {
  test('English has rules, another language keeps its words', () => {
    const chosen = (language: string): WrittenFormRules => rulesOf(language);
    expect(chosen('en')).toBe(englishRules);
    expect(chosen('en-GB')).toBe(englishRules);
    expect(chosen('de')).toBe(identityRules);
    expect(identityRules.write(spoken('ich habe one two three'), { partial: false })).toEqual({
      text: 'Ich habe one two three',
      spans: [],
    });
  });

  test('the first letter is made upper case, whatever the rest is', () => {
    expect(sentenceCase('good morning')).toBe('Good morning');
    expect(sentenceCase('élan')).toBe('Élan');
    expect(sentenceCase('')).toBe('');
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const [first = ''] = text;
        expect(sentenceCase(text).endsWith(text.slice(first.length))).toBe(true);
      }),
    );
  });
});
