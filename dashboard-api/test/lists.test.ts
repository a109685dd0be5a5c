import type { CallId, CallView } from '@earshot/contracts';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stopServers } from '../../host/test/postgres.ts';
import { decodeCursor, encodeCursor } from '../src/queries/page.ts';
import { type Harness, startHarness } from './harness.ts';

let h: Harness;
const ids: CallId[] = [];

beforeAll(async () => {
  h = await startHarness();
  const start = Date.parse('2026-03-01T10:00:00.000Z');
  for (let n = 0; n < 23; n++) {
    // Several calls begin in the same millisecond: only the id tells them apart.
    const id = await h.writer.startCall({
      startedAtMs: start + Math.floor(n / 4),
      agent: n === 3 ? 'Zo\u00eb 100%_sure' : `Agent ${n}`,
      externalIds: n % 2 === 0 ? { ucid: `id-${n}`, 'x-case': 'shared "value"' } : {},
      ...(n % 3 === 0 ? { endedAtMs: start + 60_000 } : {}),
    });
    ids.push(id);
  }
  await h.writer.final(ids[5]!, { channel: 0, startMs: 0, text: 'Your refund is on its way' });
  await h.writer.final(ids[5]!, { channel: 1, startMs: 900, text: 'Brilliant' });
  await h.writer.final(ids[6]!, { channel: 1, startMs: 0, text: 'No refund, it is not brilliant' });
});
afterAll(async () => {
  await h.stop();
  await stopServers();
});

const list = async (query: string): Promise<{ items: CallView[]; nextCursor: string | null }> =>
  h.json(`/v1/calls?${query}`);
const idsOf = async (query: string): Promise<string[]> =>
  (await list(query)).items.map((call) => call.id).sort();

test('every call is on exactly one page, newest first, whatever the size of the pages', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 30 }),
      fc.constantFrom('', 'state=live', 'state=ended'),
      async (limit, filter) => {
        const seen: CallView[] = [];
        let cursor: string | null = null;
        do {
          const page = await list(`${filter}&limit=${limit}${cursor === null ? '' : `&cursor=${cursor}`}`);
          expect(page.items.length).toBeLessThanOrEqual(limit);
          seen.push(...page.items);
          cursor = page.nextCursor;
        } while (cursor !== null);
        const expected = ids.filter(
          (_id, n) => filter === '' || (filter === 'state=ended') === (n % 3 === 0),
        );
        expect(seen.map((call) => call.id).sort()).toEqual([...expected].sort());
        const keys = seen.map((call) => `${call.startedAt} ${call.id}`);
        expect(keys).toEqual([...keys].sort().reverse());
      },
    ),
    { numRuns: 15 },
  );
});

test('a call that comes between two pages moves nothing', async () => {
  const first = await list('limit=5&state=live');
  const late = await h.writer.startCall();
  const second = await list(`limit=500&state=live&cursor=${first.nextCursor}`);
  const seen = [...first.items, ...second.items].map((call) => call.id);
  expect(new Set(seen).size).toBe(seen.length);
  expect(seen).not.toContain(late);
  await h.writer.endCall(late);
});

test('calls are found by words, from the beginning of a word on, in any segment', async () => {
  expect(await idsOf('q=refund')).toEqual([ids[5], ids[6]].sort());
  expect(await idsOf('q=refu%20brilliant%20way')).toEqual([ids[5]]);
  expect(await idsOf('q=fund')).toEqual([]);
});

test('calls are found by participant and by id, and wildcards mean themselves', async () => {
  expect(await idsOf('q=zo%C3%AB')).toEqual([ids[3]]);
  expect(await idsOf('q=100%25_')).toEqual([ids[3]]);
  expect(await idsOf('q=%25%25')).toEqual([]);
  expect(await idsOf(`q=${ids[7]}`)).toEqual([ids[7]]);
  expect(await idsOf('q=id-14')).toEqual([ids[14]]);
});

test('a call is found by each of those who are heard on one channel together, and shows them', async () => {
  const id = await h.writer.startCall({ several: ['Quirin Abendroth', 'Xenia'] });
  for (const name of ['abendroth', 'xenia']) expect(await idsOf(`q=${name}`)).toEqual([id]);
  const [call] = (await list('q=xenia')).items;
  expect(call?.channels[0]?.participants?.map(({ name }) => name)).toEqual(['Quirin Abendroth', 'Xenia']);
  expect(call?.channels[1]).not.toHaveProperty('participants');
});

test('an external id is found by its whole value, whatever its name and its characters', async () => {
  expect(await idsOf('externalId=id-14')).toEqual([ids[14]]);
  expect(await idsOf('externalId=id-1')).toEqual([]);
  expect((await idsOf(`externalId=${encodeURIComponent('shared "value"')}`)).length).toBe(12);
  expect(await idsOf('externalId=ucid:id-14')).toEqual([ids[14]]);
  expect(await idsOf('externalId=UCID:id-14')).toEqual([ids[14]]);
  expect(await idsOf('externalId=x-case:id-14')).toEqual([]);
  expect((await idsOf(`externalId=${encodeURIComponent('x-case:shared "value"')}`)).length).toBe(12);
  const colons = await h.writer.startCall({ externalIds: { 'ac:genesysuuid': 'urn:uuid:7' } });
  for (const id of ['ac:GenesysUUID:urn:uuid:7', 'urn:uuid:7']) {
    expect(await idsOf(`externalId=${id}`)).toEqual([colons]);
  }
  for (const id of ['urn:uuid', 'ac:urn:uuid:7', ':', '::7', `__proto__:${'a:'.repeat(200)}`]) {
    expect(await idsOf(`externalId=${id}`)).toEqual([]);
  }
  await h.pool.query('delete from calls where id = $1', [colons]);
  expect(await idsOf(`externalId=${encodeURIComponent('") || true || ("')}`)).toEqual([]);
});

test('no search text breaks the search', async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 40 }), async (text) => {
      const q = encodeURIComponent(text.replaceAll('\0', '').toWellFormed());
      expect((await h.request(`/v1/calls?q=${q}`)).status).toBe(200);
      expect((await h.request(`/v1/calls?externalId=${q}`)).status).toBe(200);
    }),
    { numRuns: 60 },
  );
});

test('a text with a NUL, which PostgreSQL cannot hold, is refused and not our fault', async () => {
  for (const name of ['q', 'externalId', 'cursor']) {
    expect((await h.request(`/v1/calls?${name}=a%00b`)).status, name).toBe(400);
  }
  expect((await h.request('/v1/calls/a%00b')).status).toBe(400);
});

test('a cursor is read as it was written, and nothing else is a cursor', () => {
  const at = fc
    .date({ min: new Date('2000-01-01'), max: new Date('2100-01-01'), noInvalidDate: true })
    .map((date) => date.toISOString().replace('Z', '123Z'));
  fc.assert(
    fc.property(at, fc.stringMatching(/^[a-z0-9_-]{1,40}$/), (time, id) => {
      expect(decodeCursor(encodeCursor({ at: time, id }))).toEqual({ at: time, id });
    }),
  );
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(() => decodeCursor(text)).toThrow(/cursor/);
    }),
  );
});
