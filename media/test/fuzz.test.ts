import { join } from 'node:path';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { PipelineFuzzer } from '../src/leg/fuzz.ts';
import { DiskHealth } from '../src/spool/disk-health.ts';
import { Wal } from '../src/spool/wal.ts';
import { quietLog } from './support/null-log.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'es-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function fuzzer(seed: number): PipelineFuzzer {
  const health = new DiskHealth(quietLog);
  // No disk: that would be gigabytes.
  const nowhere = join(folder, 'nowhere');
  const wal = new Wal(
    nowhere,
    0,
    1,
    health,
    () => performance.now() * 1000,
    () => Infinity,
  );
  return new PipelineFuzzer(seed, nowhere, wal, health);
}

it('200,000 random and damaged datagrams in every codec and SRTP suite, and RTCP: whole channels throw nothing and keep count', () => {
  const fuzz = fuzzer(20_261_122);
  fuzz.run(200_000);
  fuzz.finish();
  const { datagrams, received, reports, channels, ticks } = fuzz.tally;
  expect(datagrams).toBe(200_000);
  // Most of them get through to the decoders: fuzz that is refused at the door tests the door.
  expect(received).toBeGreaterThan(80_000);
  expect(reports).toBeGreaterThan(10_000);
  expect(ticks).toBeGreaterThan(80_000 * 160);
  expect(channels).toBeGreaterThanOrEqual(11);
}, 120_000);

it('the same seed does the same', () => {
  const tallies = [1, 1, 2].map((seed) => {
    const fuzz = fuzzer(seed);
    fuzz.run(5000);
    fuzz.finish();
    return fuzz.tally;
  });
  expect(tallies[1]).toEqual(tallies[0]);
  expect(tallies[2]).not.toEqual(tallies[0]);
});
