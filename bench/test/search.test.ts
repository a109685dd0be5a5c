import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { findLargest } from '../src/asr/search.ts';

/** Holds up to a number; counts how often it was asked. */
function until(limit: number) {
  const asked: number[] = [];
  const attempt = async (number: number) => {
    asked.push(number);
    return { holds: number <= limit, report: `report of ${number}` };
  };
  return { asked, attempt };
}

const how = { guess: 1, most: 2048, growth: 2, precision: 0.05 };

describe('the search for the largest number of channels', () => {
  test('finds the limit within its precision, from any guess', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 1500 }),
        fc.integer({ min: 1, max: 3000 }),
        fc.double({ min: 1.1, max: 3, noNaN: true }),
        async (limit, guess, growth) => {
          const found = await findLargest(until(limit).attempt, { ...how, guess, growth });
          expect(found?.number).toBeLessThanOrEqual(limit);
          expect(limit - (found?.number ?? 0)).toBeLessThanOrEqual(Math.max(1, limit * how.precision));
        },
      ),
    );
  });

  test('brings the report of the number that it found', async () => {
    const found = await findLargest(until(100).attempt, how);
    expect(found?.report).toBe(`report of ${found?.number}`);
    expect(found?.holds).toBe(true);
  });

  test('asks for no number twice and for none above the most', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 400 }),
        fc.integer({ min: 1, max: 200 }),
        async (limit, most) => {
          const { asked, attempt } = until(limit);
          await findLargest(attempt, { ...how, most, guess: 30 });
          expect(new Set(asked).size).toBe(asked.length);
          expect(Math.max(...asked)).toBeLessThanOrEqual(most);
        },
      ),
    );
  });

  test('finds nothing where not even one holds', async () => {
    expect(await findLargest(until(0).attempt, { ...how, guess: 64 })).toBeNull();
  });

  test('finds the most where all hold', async () => {
    expect((await findLargest(until(5000).attempt, { ...how, most: 300 }))?.number).toBe(300);
  });
});
