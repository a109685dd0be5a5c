import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ProblemView, VocabularySummaryView, VocabularyView } from '@earshot/contracts';
import { stopServers } from '../../host/test/postgres.ts';
import { normalisePhrase, normalisePhrases } from '../src/phrases.ts';
import { type Harness, startHarness } from './harness.ts';

let h: Harness;
beforeAll(async () => {
  h = await startHarness();
});
afterAll(async () => {
  await h.stop();
  await stopServers();
});

const send = (path: string, method: string, body?: unknown): Promise<Response> => h.send(path, method, body);
const put = (name: string, ...texts: string[]): Promise<Response> =>
  send(`/v1/vocabulary/${name}`, 'PUT', { phrases: texts.map((text) => ({ text })) });

describe('a phrase', () => {
  test('becomes lower case words with one space between, without punctuation', () => {
    const normal = (text: string): string => {
      const result = normalisePhrase(text);
      return result.kind === 'phrase' ? result.text : `fault: ${result.fault}`;
    };
    expect(normal('  Ear-Shot,  GmbH. ')).toBe('ear shot gmbh');
    expect(normal('O’Neill’s “Plan”')).toBe("o'neill's plan");
    expect(normal('Müller & Söhne')).toMatch(/^fault: has characters that are not spoken/);
    expect(normal('Müller und Söhne')).toBe('müller und söhne');
    expect(normal('ПЛАН/Тариф')).toBe('план тариф');
    expect(normal('Office 365')).toMatch(/^fault: has digits: spell numbers as they are spoken/);
    expect(normal('½ price')).toMatch(/^fault: has digits/);
    expect(normal(' ... ')).toBe('fault: has no words');
    expect(normal('x'.repeat(64))).toBe('x'.repeat(64));
    expect(normal('x'.repeat(65))).toMatch(/^fault: is longer than 64/);
    expect(normal("' '")).toMatch(/^fault/);
  });

  test('that is normal stays as it is, and has letters, apostrophes and single spaces only', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 80 }), (text) => {
        const result = normalisePhrase(text);
        if (result.kind === 'fault') return;
        expect(result.text).toMatch(/^[\p{L}\p{M}']+(?: [\p{L}\p{M}']+)*$/u);
        expect(normalisePhrase(result.text)).toEqual(result);
      }),
      { numRuns: 500 },
    );
  });

  test('that is said twice counts once, with its strongest boost', () => {
    const { phrases } = normalisePhrases([
      { text: 'Earshot' },
      { text: 'earshot!', boost: 5 },
      { text: 'EARSHOT', boost: 1 },
    ]);
    expect(phrases).toEqual([{ text: 'earshot', boost: 5 }]);
  });
});

test('a list is put, read, replaced and removed, through transcripts', async () => {
  const made = await put('sales', 'Earshot Gold', 'care plan');
  expect(made.status).toBe(200);
  const list = (await made.json()) as VocabularyView;
  expect(list).toMatchObject({
    name: 'sales',
    phrases: [
      { text: 'earshot gold', boost: 2 },
      { text: 'care plan', boost: 2 },
    ],
  });
  expect(h.transcripts.commands.at(-1)).toMatchObject({
    type: 'vocabulary.put',
    name: 'sales',
    phrases: list.phrases,
  });
  expect(await h.json('/v1/vocabulary/sales')).toEqual(list);
  const replaced = await send('/v1/vocabulary/sales', 'PUT', { phrases: [{ text: 'platinum', boost: 7.5 }] });
  expect(await replaced.json()).toMatchObject({ phrases: [{ text: 'platinum', boost: 7.5 }] });
  expect((await send('/v1/vocabulary/sales', 'DELETE')).status).toBe(204);
  expect((await send('/v1/vocabulary/sales', 'GET')).status).toBe(404);
  const again = await send('/v1/vocabulary/sales', 'DELETE');
  expect(((await again.json()) as ProblemView).code).toBe('VOCABULARY_NOT_FOUND');
});

test('lists are listed by name, a page at a time', async () => {
  for (const name of ['b-list', 'a_list', 'default', '0']) await put(name, 'one', 'two');
  const page = async (query: string) =>
    h.json<{ items: VocabularySummaryView[]; nextCursor: string | null }>(`/v1/vocabulary?limit=3${query}`);
  const first = await page('');
  expect(first.items.map(({ name, phraseCount }) => [name, phraseCount])).toEqual([
    ['0', 2],
    ['a_list', 2],
    ['b-list', 2],
  ]);
  const second = await page(`&cursor=${first.nextCursor}`);
  expect(second.items.map(({ name }) => name)).toEqual(['default']);
  expect(second.nextCursor).toBeNull();
  expect((await h.request('/v1/vocabulary?cursor=%20')).status).toBe(400);
});

test('every phrase that cannot be spoken is named with what to do, and nothing is sent', async () => {
  const sent = h.transcripts.commands.length;
  const response = await put('sales', 'fine', 'Office 365', 'R&D');
  expect(response.status).toBe(400);
  const problem = (await response.json()) as ProblemView;
  expect(problem.code).toBe('REQUEST_INVALID');
  expect(problem.detail).toContain('spell numbers as they are spoken');
  expect(problem.errors?.map(({ path }) => path)).toEqual(['body/phrases/1/text', 'body/phrases/2/text']);
  expect(h.transcripts.commands).toHaveLength(sent);
});

test('names, boosts and sizes beyond what is allowed are refused; a full list of long phrases is not', async () => {
  expect((await put('Sales', 'one')).status).toBe(400);
  expect((await put('a%20b', 'one')).status).toBe(400);
  expect((await send('/v1/vocabulary/x', 'PUT', { phrases: [{ text: 'one', boost: 11 }] })).status).toBe(400);
  const many = (count: number): string[] =>
    Array.from({ length: count }, (_, i) => `${'ab'[i & 1]!.repeat((i >> 1) % 60)} ${'xyz'[i % 3]!}`);
  expect((await put('x', ...many(1001))).status).toBe(400);
  expect((await put('x', ...many(1000))).status).toBe(200);
});

test('what transcripts refuses is a problem with its code', async () => {
  h.transcripts.refuse = () => ({ code: 'VOCABULARY_LIMIT', message: 'too many' });
  const response = await put('one-more', 'one');
  h.transcripts.refuse = () => null;
  expect(response.status).toBe(409);
  expect(await response.json()).toMatchObject({ code: 'VOCABULARY_LIMIT' });
});
