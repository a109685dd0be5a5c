import { expect, it } from 'vitest';
import { LogLimit } from '../src/control/log-limit.ts';

it('a kind has a line a second, which says how many were held back since the one before', () => {
  const limit = new LogLimit();
  expect(limit.take('capacity', 0)).toBe(0);
  expect([100, 500, 999].map((ms) => limit.take('capacity', ms))).toEqual([null, null, null]);
  expect(limit.take('rate_limit', 999)).toBe(0);
  expect(limit.take('capacity', 1_000)).toBe(3);
  expect(limit.take('capacity', 5_000)).toBe(0);
});
