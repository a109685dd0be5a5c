/** `node start.mjs docs`: writes docs/configuration.md and docs/errors.md from the schema and the catalogue. */
import { writeFile } from 'node:fs/promises';
import { configurationPage, errorsPage } from './src/pages.ts';

await writeFile(new URL('../docs/configuration.md', import.meta.url), configurationPage());
await writeFile(new URL('../docs/errors.md', import.meta.url), errorsPage());
