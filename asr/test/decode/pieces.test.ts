import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { tokenPieces, wordText } from '../../src/decode/pieces.ts';

/** The words of a sequence of symbols, as the decoder puts them together. */
function wordsOf(vocabulary: readonly string[], symbols: readonly string[]): string[] {
  const pieces = tokenPieces(vocabulary);
  return symbols
    .map((symbol) => pieces[vocabulary.indexOf(symbol)]!)
    .join('')
    .split('▁')
    .map(wordText)
    .filter((word) => word !== '');
}

const BYTES = Array.from(
  { length: 256 },
  (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`,
);
const bytesOf = (text: string): string[] => [...Buffer.from(text)].map((byte) => BYTES[byte]!);

describe('the pieces of a vocabulary', () => {
  test('are lower case, and specials and punctuation say nothing', () => {
    const vocabulary = ['<blk>', '<sos/eos>', '<unk>', '▁HEL', 'LO', '▁I', "'M", ',', '.', '▁ÉTÉ', '<en-US>'];
    expect(tokenPieces(vocabulary)).toEqual(['', '', '', '▁hel', 'lo', '▁i', "'m", '', '', '▁été', '']);
  });

  test('of any text that is written in bytes are that text, lower case', () => {
    const vocabulary = ['<blk>', ...BYTES, '▁', '▁THE'];
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 }), (text) => {
        const expected = text.toLowerCase().trim();
        fc.pre(!/[\uE000-\uE0FF\uFFFD▁\uFEFF]/.test(expected));
        expect(wordsOf(vocabulary, ['▁THE', '▁', ...bytesOf(text)])).toEqual(
          ['the', expected].filter((word) => word !== ''),
        );
      }),
    );
  });

  test('leave bytes out that are no UTF-8', () => {
    const vocabulary = ['<blk>', ...BYTES, '▁A'];
    expect(wordsOf(vocabulary, ['▁A', '<0xC3>', '<0xA9>', '<0xFF>', '<0x62>'])).toEqual(['aéb']);
  });

  test('that are byte-level BPE are put together across pieces', () => {
    // "é" is C3 A9, which icefall writes as the characters for 195 and 169.
    const vocabulary = ['<blk>', '▁CAF', '\u0169', '\u014F', '▁\u019C', 'TH\u01A6'];
    expect(wordsOf(vocabulary, ['▁CAF', '\u0169', '\u014F'])).toEqual(['café']);
  });

  test('of scripts without spaces are words of their own', () => {
    const vocabulary = ['<blk>', '昨', '天', '▁MON', 'DAY', 'の'];
    expect(wordsOf(vocabulary, ['昨', '天', '▁MON', 'DAY', 'の'])).toEqual(['昨', '天', 'monday', 'の']);
  });

  test('are as many as the symbols, whatever those are', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ minLength: 1 })), (symbols) => {
        const pieces = tokenPieces(symbols);
        expect(pieces).toHaveLength(symbols.length);
        pieces.forEach((piece) => expect(typeof wordText(piece)).toBe('string'));
      }),
    );
  });
});
