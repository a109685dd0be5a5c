import { expect, test } from 'vitest';
import { sameSecret } from '../src/auth/api-key.ts';
import { isOwnOrigin } from '../src/auth/origin.ts';
import { RateLimit } from '../src/auth/rate-limit.ts';
import { Sessions } from '../src/auth/session.ts';
import { API_KEY } from './harness.ts';

test('secrets of any length are compared over digests of one length', () => {
  expect(sameSecret('', '')).toBe(true);
  expect(sameSecret('a', 'a'.repeat(10_000))).toBe(false);
  expect(sameSecret(API_KEY, API_KEY)).toBe(true);
});

test('a session that was tampered with is none', () => {
  const sessions = new Sessions('secret');
  const cookie = sessions.issue(0);
  const [id, expiry, signature] = cookie.split('.');
  expect(sessions.read(cookie, 1)).not.toBeNull();
  expect(sessions.read(`${id}.${Number(expiry) + 1}.${signature}`, 1)).toBeNull();
  expect(sessions.read(`x${id}.${expiry}.${signature}`, 1)).toBeNull();
  expect(new Sessions('another').read(cookie, 1)).toBeNull();
  for (const broken of [undefined, '', '.', '..', `${cookie}.x`]) {
    expect(sessions.read(broken, 1)).toBeNull();
  }
});

test.each([
  ['http://localhost:8080', 'localhost:8080', null, true],
  ['https://ear.example', 'ear.example', null, true],
  ['https://ear.example', '10.0.0.1:8080', 'https://ear.example/', true],
  ['https://ear.example.evil', 'ear.example', null, false],
  ['http://localhost:8081', 'localhost:8080', null, false],
  ['null', 'localhost:8080', null, false],
  [undefined, 'localhost:8080', null, false],
  ['file://localhost:8080', 'localhost:8080', null, false],
])('origin %s at host %s with PUBLIC_URL %s is ours: %s', (origin, host, publicUrl, ours) => {
  expect(isOwnOrigin(origin, host, publicUrl)).toBe(ours);
});

test('failures are counted for each address by itself, and old ones are forgotten', () => {
  const limit = new RateLimit(2, 1000);
  limit.failed('a', 0);
  expect(limit.waitMs('a', 10)).toBe(0);
  limit.failed('a', 10);
  expect(limit.waitMs('a', 20)).toBe(980);
  expect(limit.waitMs('b', 20)).toBe(0);
  expect(limit.waitMs('a', 1000)).toBe(0);
  limit.failed('b', 1000);
  limit.failed('a', 1000);
  expect(limit.waitMs('a', 1000)).toBe(0);
});
