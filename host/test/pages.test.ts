import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { configurationPage, errorsPage } from '../src/pages.ts';

const page = (name: string): Promise<string> =>
  readFile(new URL(`../../docs/${name}`, import.meta.url), 'utf8');

test('docs/configuration.md and docs/errors.md are what the code says (node start.mjs docs writes them)', async () => {
  expect(await page('configuration.md')).toBe(configurationPage());
  expect(await page('errors.md')).toBe(errorsPage());
});
