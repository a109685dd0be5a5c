import { expect, test } from 'vitest';
import { Strangers } from '../src/strangers.ts';

test('an address has a line a minute, which says how many requests had none', () => {
  const strangers = new Strangers();
  expect(strangers.take('192.0.2.1', 0)).toBe(0);
  for (let ms = 1; ms < 60_000; ms += 10) expect(strangers.take('192.0.2.1', ms)).toBeNull();
  expect(strangers.take('192.0.2.1', 60_000)).toBe(6000);
  expect(strangers.take('192.0.2.2', 61_000)).toBe(0);
});

test('forged addresses make a line a second, and one that stays is seen among them', () => {
  const strangers = new Strangers();
  let lines = 0;
  let sbc = 0;
  for (let i = 0; i < 100_000; i++) {
    const ms = i / 10;
    if (strangers.take(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`, ms) !== null) lines++;
    if (i % 9 === 0 && strangers.take('192.0.2.1', ms) !== null) sbc++;
  }
  expect(lines + sbc).toBe(10);
  expect(sbc).toBeLessThanOrEqual(1);
  expect(strangers.take('192.0.2.2', 11_000)).toBeGreaterThan(10_000);
});

test('an address is remembered for its minute however many others have a line meanwhile', () => {
  const strangers = new Strangers();
  for (let second = 0; second < 60; second++)
    expect(strangers.take(`10.0.0.${second}`, second * 1000)).toBe(0);
  expect(strangers.take('10.0.0.1', 60_000)).toBeNull();
  expect(strangers.take('10.0.0.0', 60_000)).toBe(1);
});
