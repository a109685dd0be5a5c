import { expect, describe, test } from 'vitest';
import { englishRules } from '../src/written-form/index.ts';
import { GOLDEN } from './written-form-golden.ts';
import { spoken } from './written-form-spoken.ts';

describe.each(Object.entries(GOLDEN))('%s', (_name, lines) => {
  test.each(lines)('%s → %s', (said, written) => {
    expect(englishRules.write(spoken(said), { partial: false }).text).toBe(written);
  });
});
