import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readTokens } from '../../src/decode/tokens.ts';

const symbol = fc.string({ minLength: 1, unit: fc.constantFrom('a', 'b', 'c', 'é', '▁', "'", '<', '>') });

describe('tokens.txt', () => {
  test('is read in any order of lines, with either line end', () => {
    fc.assert(
      fc.property(
        fc.array(symbol, { minLength: 1 }).chain((pieces) =>
          fc.record({
            pieces: fc.constant(pieces),
            order: fc.shuffledSubarray([...pieces.keys()], { minLength: pieces.length }),
            lineEnd: fc.constantFrom('\n', '\r\n'),
          }),
        ),
        ({ pieces, order, lineEnd }) => {
          const text = order.map((id) => `${pieces[id]} ${id}${lineEnd}`).join('');
          expect(readTokens(text)).toEqual({ ok: true, pieces });
        },
      ),
    );
  });

  test('never throws, whatever the file holds', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('a', ' ', '\n', '\r', '0', '1', '9', '▁') }), (text) => {
        const read = readTokens(text);
        expect(read.ok ? read.pieces.every((piece) => typeof piece === 'string') : read.fault !== '').toBe(
          true,
        );
      }),
    );
  });

  test('names the line that has no id, an id twice, or an id too high', () => {
    expect(readTokens('<blk> 0\na b\n')).toEqual({
      ok: false,
      fault: 'line 2 does not end in an id from 0 to 1',
    });
    expect(readTokens('<blk> 0\na 0\n')).toEqual({ ok: false, fault: 'line 2 has id 0 again' });
    expect(readTokens('<blk> 0\na 2\n')).toEqual({
      ok: false,
      fault: 'line 2 does not end in an id from 0 to 1',
    });
    expect(readTokens('')).toEqual({ ok: false, fault: 'it is empty' });
  });
});
