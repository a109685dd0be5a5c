import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { CallId, ProblemView, RetranscriptionView, TranscriptView } from '@earshot/contracts';
import { stopServers } from '../../host/test/postgres.ts';
import { type Harness, startHarness, until } from './harness.ts';
import { type SeedCall, segmentOf } from './log-writer.ts';

let h: Harness;
beforeAll(async () => {
  h = await startHarness();
});
afterAll(async () => {
  await h.stop();
  await stopServers();
});
beforeEach(() => h.pool.query('delete from outbox'));

const RECORDING = { file: 'x.wav', bytes: 100, sha256: 'ab', durationMs: 1000 };
const post = (path: string, body?: unknown): Promise<Response> => h.send(path, 'POST', body);
const problem = async (response: Response): Promise<unknown[]> => [
  response.status,
  ((await response.json()) as ProblemView).code,
];
const ended = (seed: SeedCall = {}): Promise<CallId> =>
  h.writer.startCall({ endedAtMs: Date.now(), recording: RECORDING, ...seed });

test('a live call’s words are asked to be final; an ended or unknown call’s are not', async () => {
  const callId = await h.writer.startCall();
  const response = await post(`/v1/calls/${callId}/finalize`);
  expect(response.status).toBe(202);
  expect(await response.json()).toEqual({ callId, channels: 2 });
  expect(h.transcripts.commands.at(-1)).toMatchObject({ type: 'call.finalise', callId });
  await h.writer.endCall(callId);
  expect(await problem(await post(`/v1/calls/${callId}/finalize`))).toEqual([409, 'CALL_NOT_LIVE']);
  expect(await problem(await post('/v1/calls/none/finalize'))).toEqual([404, 'CALL_NOT_FOUND']);
});

test('a retranscription is queued with its outbox row, and followed at its own address', async () => {
  const callId = await ended();
  await h.pool.query(`insert into vocabulary (name, phrases) values ('sales', '[]') on conflict do nothing`);
  const response = await post(`/v1/calls/${callId}/retranscribe`, {
    model: 'big-one',
    vocabulary: ['sales'],
  });
  expect(response.status).toBe(202);
  const job = (await response.json()) as RetranscriptionView;
  expect(job).toMatchObject({
    callId,
    state: 'queued',
    model: 'big-one',
    vocabulary: ['sales'],
    startedAt: null,
    revision: null,
    error: null,
  });
  const { rows } = await h.pool.query<{ payload: unknown }>('select payload from outbox');
  expect(rows.map(({ payload }) => payload)).toEqual([
    { kind: 'retranscription', callId, retranscription: job.id },
  ]);
  expect(response.headers.get('location')).toBe(`/v1/calls/${callId}/retranscriptions/${job.id}`);
  expect(await h.json(response.headers.get('location')!)).toEqual(job);
  await h.pool.query(
    `update retranscriptions set state = 'failed', finished_at = now(), error = '{"code": "MODEL_NOT_FOUND", "detail": "no big-one"}'
     where id = $1`,
    [job.id],
  );
  expect(await h.json(response.headers.get('location')!)).toMatchObject({
    state: 'failed',
    error: {
      code: 'MODEL_NOT_FOUND',
      detail: 'no big-one',
      action: expect.stringContaining('npm run model') as string,
    },
  });
});

test('with no body the serving model and the default vocabulary are asked for, with [] none', async () => {
  const callId = await ended();
  expect(await (await post(`/v1/calls/${callId}/retranscribe`)).json()).toMatchObject({
    model: null,
    vocabulary: ['default'],
  });
  await h.pool.query(`update retranscriptions set state = 'done' where call_id = $1`, [callId]);
  expect(await (await post(`/v1/calls/${callId}/retranscribe`, { vocabulary: [] })).json()).toMatchObject({
    vocabulary: [],
  });
  const list = await h.json<{ items: RetranscriptionView[]; nextCursor: string | null }>(
    `/v1/calls/${callId}/retranscriptions?limit=1`,
  );
  expect(list.items.map(({ vocabulary }) => vocabulary)).toEqual([[]]);
  const rest = await h.json<{ items: RetranscriptionView[] }>(
    `/v1/calls/${callId}/retranscriptions?cursor=${list.nextCursor}`,
  );
  expect(rest.items.map(({ vocabulary }) => vocabulary)).toEqual([['default']]);
});

test('while one of a call is queued or running another is refused, and told which it is', async () => {
  const callId = await ended();
  const path = `/v1/calls/${callId}/retranscribe`;
  const { id } = (await (await post(path)).json()) as RetranscriptionView;
  for (const state of ['queued', 'running']) {
    await h.pool.query('update retranscriptions set state = $2 where id = $1', [id, state]);
    const refused = await post(path, { model: 'another' });
    expect(refused.status).toBe(409);
    expect(await refused.json()).toMatchObject({
      code: 'RETRANSCRIPTION_IN_PROGRESS',
      detail: `The retranscription ${id} of this call is ${state}.`,
    });
  }
  expect((await h.pool.query('select 1 from outbox')).rowCount).toBe(1);
  expect((await post(`/v1/calls/${await ended()}/retranscribe`)).status).toBe(202);
  for (const state of ['done', 'failed']) {
    await h.pool.query('update retranscriptions set state = $2 where call_id = $1', [callId, state]);
    expect((await post(path)).status).toBe(202);
  }
});

test('of many that ask for the same call at once one gets it', async () => {
  const callId = await ended();
  // Nobody writes until several have got as far as they can.
  const gate = await h.pool.connect();
  await gate.query('begin; lock table retranscriptions in share mode');
  const asked = Promise.all(Array.from({ length: 6 }, () => post(`/v1/calls/${callId}/retranscribe`)));
  await until('several wait', async () => {
    const { rows } = await h.pool.query<{ waiting: number }>(
      `select count(*)::int as waiting from pg_stat_activity
       where datname = current_database() and wait_event_type = 'Lock'`,
    );
    return rows[0]!.waiting >= 2;
  }).finally(async () => {
    await gate.query('commit');
    gate.release();
  });
  expect((await asked).map(({ status }) => status).sort()).toEqual([202, 409, 409, 409, 409, 409]);
  const { rows } = await h.pool.query<{ id: string }>('select id from retranscriptions where call_id = $1', [
    callId,
  ]);
  const queued = await h.pool.query<{ id: string }>(`select payload->>'retranscription' as id from outbox`);
  expect(rows).toHaveLength(1);
  expect(queued.rows).toEqual(rows);
});

test('what cannot be recognised again is refused at once, with the reason', async () => {
  const live = await h.writer.startCall();
  const unrecorded = await h.writer.startCall({ endedAtMs: Date.now() });
  const callId = await ended();
  const ask = async (id: string, body?: unknown) => problem(await post(`/v1/calls/${id}/retranscribe`, body));
  expect(await ask('none')).toEqual([404, 'CALL_NOT_FOUND']);
  expect(await ask(live)).toEqual([409, 'CALL_NOT_COMPLETE']);
  expect(await ask(await ended({ complete: false }))).toEqual([409, 'CALL_NOT_COMPLETE']);
  expect(await ask(unrecorded)).toEqual([409, 'RECORDING_MISSING']);
  expect(await ask(callId, { vocabulary: ['nowhere'] })).toEqual([404, 'VOCABULARY_NOT_FOUND']);
  expect(await ask(callId, { model: '../etc' })).toEqual([400, 'REQUEST_INVALID']);
  expect(await ask(callId, { modell: 'x' })).toEqual([400, 'REQUEST_INVALID']);
  expect((await h.pool.query('select payload from outbox')).rows).toEqual([]);
  expect(await problem(await h.request(`/v1/calls/${callId}/retranscriptions/rt_none`))).toEqual([
    404,
    'RETRANSCRIPTION_NOT_FOUND',
  ]);
  expect(await problem(await h.request('/v1/calls/none/retranscriptions'))).toEqual([404, 'CALL_NOT_FOUND']);
});

test('the newest transcript is given, an older one by its revision, as text too', async () => {
  const callId = await ended();
  await h.writer.final(callId, { channel: 0, startMs: 0, text: 'Good morning' });
  const before = segmentOf(callId, { channel: 0, startMs: 0, text: 'Good mourning' });
  await h.pool.query(
    `insert into retranscriptions (id, call_id, model, vocabulary, state) values ('rt_1', $1, null, '[]', 'done')`,
    [callId],
  );
  await h.pool.query(
    `insert into revisions (call_id, revision, segments, replaced_at, next_revision, retranscription, model, vocabulary,
       words_changed, word_error_rate)
     values ($1, 0, $2, now(), 1, 'rt_1', 'other', '[]', 1, 0.5)`,
    [callId, JSON.stringify([before])],
  );
  const path = `/v1/calls/${callId}/transcript`;
  const newest = await h.json<TranscriptView>(path);
  expect([newest.revision, newest.segments[0]?.text]).toEqual([1, 'Good morning']);
  expect(await h.json(`${path}?revision=1`)).toEqual(newest);
  expect(await h.json(`${path}?revision=0`)).toEqual({
    callId,
    state: 'ended',
    revision: 0,
    complete: true,
    gaps: [],
    segments: [before],
  });
  expect(await (await h.request(`${path}.txt?revision=0`)).text()).toContain('Good mourning');
  expect(await problem(await h.request(`${path}?revision=7`))).toEqual([404, 'REVISION_NOT_FOUND']);
  expect(await problem(await h.request(`${path}?revision=x`))).toEqual([400, 'REQUEST_INVALID']);
  expect(await h.json(`/v1/calls/${callId}/retranscriptions/rt_1`)).toMatchObject({
    state: 'done',
    usedModel: 'other',
    previousRevision: 0,
    revision: 1,
    wordsChanged: 1,
    wordErrorRateBetween: 0.5,
  });
});
