import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['*/test/**/*.test.ts'],
    testTimeout: 20_000,
    hookTimeout: 60_000,
    pool: 'forks',
    // Two noisy cores: real servers and real time in the tests do not share them with a third file.
    maxWorkers: 2,
  },
});
