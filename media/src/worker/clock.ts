import { monoUs } from '@earshot/contracts';

/**
 * CLOCK_MONOTONIC in microseconds, as contracts' monoUs, without its allocation: performance.now() counts on the same clock
 * from another start. Strictly rising, so that no two packets have the same arrival.
 */
const OFFSET_US = monoUs() - performance.now() * 1000;
let lastUs = 0;

export function nowUs(): number {
  const now = OFFSET_US + performance.now() * 1000;
  lastUs = now > lastUs ? now : lastUs + 0.01;
  return lastUs;
}
