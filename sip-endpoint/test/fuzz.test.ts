import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { SipFuzzer } from '../src/fuzz/fuzzer.ts';

const MESSAGES = 200_000;
const BETWEEN_GOOD_CALLS = 1000;

it('200,000 whole and damaged messages: each is answered as it deserves, good calls succeed throughout, nothing stays behind', async () => {
  const fuzzer = await SipFuzzer.start(20_261_122);
  for (let done = 0; done < MESSAGES; done += BETWEEN_GOOD_CALLS) {
    fuzzer.run(BETWEEN_GOOD_CALLS);
    fuzzer.goodCall();
    // Vitest wants to hear of its worker now and then.
    await setImmediate();
  }
  fuzzer.finish();
  const { counts, endpoint } = fuzzer;
  expect(counts).toMatchObject({ messages: MESSAGES, goodCalls: MESSAGES / BETWEEN_GOOD_CALLS });
  expect(endpoint.stats().internalErrors).toBe(0);
  // The generator is worth its name when many messages, and not all, are refused, on every ground there is.
  const refused = Object.values(counts.faults).reduce((sum, count) => sum + count, 0);
  expect(refused).toBeGreaterThan(0.3 * MESSAGES);
  expect(refused).toBeLessThan(0.9 * MESSAGES);
  expect(Object.keys(counts.faults).length).toBeGreaterThan(14);
  expect(counts.answers['2xx']).toBeGreaterThan(10_000);
}, 600_000);
