import fc from 'fast-check';
import { Webhook } from 'standardwebhooks';
import { expect, test } from 'vitest';
import { jobOf } from '../src/queues/jobs.ts';
import { parseRetryAfter, pauseBefore, STANDARD_SCHEDULE_MS } from '../src/webhooks/schedule.ts';
import { signatureOf } from '../src/webhooks/sign.ts';

test('our signature is the one that the reference library makes, whatever is signed', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 24, maxLength: 64 }),
      fc.string({ minLength: 1 }),
      fc.integer({ min: 0, max: 4_000_000_000 }),
      fc.string({ unit: 'grapheme' }),
      (key, id, timestampS, body) => {
        const secret = `whsec_${Buffer.from(key).toString('base64')}`;
        const reference = new Webhook(secret).sign(id, new Date(timestampS * 1000), body);
        expect(signatureOf(secret, id, timestampS, body)).toBe(reference);
      },
    ),
  );
});

test('the pauses are the standard ones, at most a tenth longer, and end', () => {
  const pauses = STANDARD_SCHEDULE_MS.map((_pause, tries) => [
    pauseBefore(STANDARD_SCHEDULE_MS, tries, 0, null),
    pauseBefore(STANDARD_SCHEDULE_MS, tries, 1, null),
  ]);
  for (const [tries, [shortest, longest]] of pauses.entries()) {
    expect(shortest).toBe(STANDARD_SCHEDULE_MS[tries]);
    expect(longest).toBe(Math.round(STANDARD_SCHEDULE_MS[tries]! * 1.1));
  }
  expect(pauseBefore(STANDARD_SCHEDULE_MS, STANDARD_SCHEDULE_MS.length, 0, null)).toBeNull();
});

test('a receiver can ask for a longer pause, up to a day, and never for a shorter one', () => {
  expect(pauseBefore([0, 5000], 1, 0, 60_000)).toBe(60_000);
  expect(pauseBefore([0, 5000], 1, 0, 1000)).toBe(5000);
  expect(pauseBefore([0, 5000], 1, 0, 1e12)).toBe(24 * 3600 * 1000);
});

test('Retry-After is seconds or a date; anything else is as if it were not there', () => {
  const now = Date.parse('2026-01-01T00:00:00Z');
  expect(parseRetryAfter('120', now)).toBe(120_000);
  expect(parseRetryAfter('Thu, 01 Jan 2026 00:01:00 GMT', now)).toBe(60_000);
  expect(parseRetryAfter('Thu, 01 Jan 2025 00:01:00 GMT', now)).toBe(0);
  for (const odd of [undefined, '', '-1', '1.5', 'soon', '99999999999', 'Foo, x']) {
    expect(parseRetryAfter(odd, now)).toBeNull();
  }
  fc.assert(
    fc.property(fc.string(), (text) => {
      const parsed = parseRetryAfter(text, now);
      expect(parsed === null || parsed >= 0).toBe(true);
    }),
  );
});

test('any outbox payload is a job or nothing; the same row is always the same job', () => {
  fc.assert(
    fc.property(fc.nat(), fc.jsonValue(), (row, payload) => {
      expect(jobOf(row, payload)).toEqual(jobOf(row, payload));
    }),
  );
  const event = { kind: 'webhook', seq: 5, event: 'call.ended', callId: 'c' };
  expect(jobOf(1, event)?.id).toBe(jobOf(2, event)?.id);
  // Asked for by name it may be asked for again.
  expect(jobOf(1, { ...event, webhookId: 'wh_a' })?.id).not.toBe(
    jobOf(2, { ...event, webhookId: 'wh_a' })?.id,
  );
  expect(jobOf(1, { kind: 'later', callId: 'c' })).toBeNull();
});
