import { expect, test } from 'vitest';
import { soak } from '../support/soak.ts';

test('conversations one after another on many channels leave the memory of the engine’s process as it was', async () => {
  const result = await soak({ channels: 20, minutes: 2, samples: 12, callSeconds: 15 });
  console.log(`soak: ${JSON.stringify(result.growthMb)} MiB in ${result.audioHours} h of audio`);
  expect(result.callsEnded).toBeGreaterThanOrEqual(60);
  expect(result.growthMb.heap).toBeLessThan(15);
  expect(result.growthMb.external).toBeLessThan(15);
  // The allocator still grows its pools.
  expect(result.growthMb.rss).toBeLessThan(150);
}, 180_000);
