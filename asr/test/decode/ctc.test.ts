import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CtcCollapse, bestTokens } from '../../src/decode/ctc.ts';

/** CTC by the book: group equal neighbours, then drop the blanks. */
function collapsed(ids: readonly number[], blank: number): number[] {
  return ids.filter((id, i) => (i === 0 || ids[i - 1] !== id) && id !== blank);
}

describe('CTC', () => {
  test('collapsing frame by frame gives what grouping the whole sequence gives', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(4)), fc.nat(4), (ids, blank) => {
        const collapse = new CtcCollapse(blank);
        const kept = ids.filter((id) => collapse.next(id) === 'token');
        expect(kept).toEqual(collapsed(ids, blank));
      }),
    );
  });

  test('a repeat is told from a blank and from a new token', () => {
    const collapse = new CtcCollapse(0);
    expect([0, 3, 3, 0, 3, 5, 5].map((id) => collapse.next(id))).toEqual([
      'blank',
      'token',
      'repeat',
      'blank',
      'token',
      'token',
      'repeat',
    ]);
  });

  test('after a reset the same token counts again', () => {
    const collapse = new CtcCollapse(0);
    collapse.next(7);
    collapse.reset();
    expect(collapse.next(7)).toBe('token');
  });

  test('the best token of each frame is the first with the highest log-probability, of the right frame', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 1, max: 9 }),
        fc.nat(5),
        fc.infiniteStream(fc.integer({ min: -50, max: 0 })),
        (frames, vocabulary, offset, stream) => {
          const values = [...stream.take(offset + frames * vocabulary)];
          const ids = new Uint16Array(frames + 2);
          const best = new Float32Array(frames + 2);
          bestTokens(Float32Array.from(values), offset, frames, vocabulary, ids, best, 2);
          for (let frame = 0; frame < frames; frame++) {
            const row = values.slice(offset + frame * vocabulary, offset + (frame + 1) * vocabulary);
            const top = Math.max(...row);
            expect([ids[2 + frame], best[2 + frame]]).toEqual([row.indexOf(top), top]);
          }
          expect([...ids.slice(0, 2)]).toEqual([0, 0]);
        },
      ),
    );
  });
});
