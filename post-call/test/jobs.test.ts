import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, expect, test } from 'vitest';
import { ownPostgres, stopServers, withPostgres } from '../../host/test/postgres.ts';
import { assembleRecording } from '../src/processors/assemble.ts';
import {
  CallLog,
  Endpoint,
  makeFolder,
  migrated,
  removeFolder,
  spawnPostCall,
  startService,
  testCallId,
  until,
} from './harness.ts';
import { readWav, writeSpool } from './spool.ts';

afterAll(stopServers);

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

test('a complete call becomes a recording: the file, the command, and the spool is gone', async () => {
  const database = await withPostgres();
  const folder = await makeFolder();
  const callLog = new CallLog(await migrated(database.url));
  const callId = testCallId();
  const spool = join(folder, 'spool', callId);
  await callLog.addCall(callId);
  await writeSpool(spool, 0, 'PCMU', [{ startTick: 0, codes: new Uint8Array(800).fill(0x10) }]);
  // transcripts comes up after the job has begun: the command waits for it.
  await callLog.addOutbox({ kind: 'recording', callId });
  const service = await startService(database.url, folder);
  const path = join(folder, 'recordings', `${callId}.wav`);
  await until('the file is there', () => exists(path));
  expect(await exists(spool)).toBe(true);
  await callLog.listenCommands(folder);
  await until('the spool is gone', async () => !(await exists(spool)));
  const wav = { file: `${callId}.wav`, bytes: 44 + 3200 };
  const opus = { format: 'opus', file: `${callId}.opus` };
  expect(callLog.commands).toMatchObject([
    {
      type: 'recording.ready',
      callId,
      recording: { ...wav, durationMs: 100, formats: [{ format: 'wav', ...wav }, opus] },
    },
  ]);
  const { channels, samples } = readWav(await readFile(path));
  expect(channels).toBe(2);
  expect(samples[1]).toEqual(new Int16Array(800));
  await until('the outbox is empty', async () => (await callLog.outboxCount()) === 0);
  await service.stop();
  await callLog.close();
  await removeFolder(folder);
  await database.stop();
});

test('killed while it makes a recording, the next process makes the same files', async () => {
  const database = await withPostgres();
  const folder = await makeFolder();
  const callLog = new CallLog(await migrated(database.url));
  const callId = testCallId();
  const spool = join(folder, 'spool', callId);
  await callLog.listenCommands(folder);
  await callLog.addCall(callId);
  // Two hours, nearly all of them silent: a second or two of work, to be caught at it.
  const endTick = 2 * 3600 * 8000;
  await callLog.pool.query(
    `insert into channels (channel, call_id, idx, end_tick) values ($1 || ':0', $1, 0, $2)`,
    [callId, endTick],
  );
  const codes = Uint8Array.from({ length: 4000 }, (_, i) => (i * 7) & 0xff);
  const sound = [0, endTick / 2].map((startTick) => ({ startTick, codes }));
  await writeSpool(spool, 0, 'PCMU', sound);
  await callLog.addOutbox({ kind: 'recording', callId });
  const first = spawnPostCall(database.url, folder);
  const pathOf = (format: string): string => join(folder, 'recordings', `${callId}.${format}`);
  await until('it is being written', () => exists(`${pathOf('opus')}.partial`));
  const exited = new Promise((resolve) => first.once('exit', resolve));
  first.kill('SIGKILL');
  await exited;
  expect([await exists(pathOf('wav')), await exists(pathOf('opus')), await exists(spool)]).toEqual([
    false,
    false,
    true,
  ]);
  const undisturbed = await assembleRecording({
    callId,
    spoolFolder: spool,
    recordingsFolder: join(folder, 'undisturbed'),
    formats: ['wav', 'opus'],
    channels: 2,
    endTick,
    onDamage: () => undefined,
  });
  const second = await startService(database.url, folder);
  // The dead process's lock on the job runs out first.
  await until('the spool is gone', async () => !(await exists(spool)), 60_000);
  expect(callLog.commands).toMatchObject([{ type: 'recording.ready', callId, recording: undisturbed }]);
  for (const { file, bytes } of undisturbed!.formats!)
    expect((await stat(join(folder, 'recordings', file))).size).toBe(bytes);
  expect(await exists(`${pathOf('opus')}.partial`)).toBe(false);
  await second.stop();
  await callLog.close();
  await removeFolder(folder);
  await database.stop();
}, 120_000);

test('with RECORD off nothing is kept', async () => {
  const database = await withPostgres();
  const folder = await makeFolder();
  const callLog = new CallLog(await migrated(database.url));
  const callId = testCallId();
  const spool = join(folder, 'spool', callId);
  await callLog.addCall(callId);
  await writeSpool(spool, 0, 'PCMU', [{ startTick: 0, codes: new Uint8Array(800) }]);
  await callLog.listenCommands(folder);
  const config = {
    redisUrl: null,
    dataDir: folder,
    record: false,
    recordingFormats: ['wav', 'opus'] as const,
    httpBind: '127.0.0.1',
    asrModel: null,
  };
  const service = await startService(database.url, folder, { config });
  await callLog.addOutbox({ kind: 'recording', callId });
  await until('the spool is gone', async () => !(await exists(spool)));
  expect(await exists(join(folder, 'recordings'))).toBe(false);
  expect(callLog.commands).toEqual([]);
  await service.stop();
  await callLog.close();
  await removeFolder(folder);
  await database.stop();
});

test('a call id that would leave the folder is refused, and nothing is removed', async () => {
  const database = await withPostgres();
  const folder = await makeFolder();
  await mkdir(join(folder, 'spool'));
  await writeFile(join(folder, 'precious'), '');
  const callLog = new CallLog(await migrated(database.url));
  const service = await startService(database.url, folder);
  await callLog.addOutbox({ kind: 'recording', callId: '../precious' as ReturnType<typeof testCallId> });
  await until('the job was tried', async () => {
    const { rows } = await callLog.pool.query<{ attempts: number }>(
      `select (to_jsonb(j) ->> 'attempts_made')::int as attempts from bullmq.job j where queue = 'recording'`,
    );
    return (rows[0]?.attempts ?? 0) > 0;
  });
  expect(await exists(join(folder, 'precious'))).toBe(true);
  await service.stop();
  await callLog.close();
  await removeFolder(folder);
  await database.stop();
});

test('killed between enqueue and delete, the rows are taken again and nothing is sent twice', async () => {
  const database = await withPostgres();
  const folder = await makeFolder();
  const callLog = new CallLog(await migrated(database.url));
  const endpoint = await Endpoint.start();
  const callId = testCallId();
  await callLog.addCall(callId);
  await callLog.addWebhook(endpoint.url, ['call.started', 'call.ended']);
  await callLog.addEvent(callId, 'call.started');
  // Whoever wants to delete the row waits for this transaction.
  const holder = new pg.Client({ connectionString: database.url });
  await holder.connect();
  await holder.query('begin; select id from outbox for update');
  const first = spawnPostCall(database.url, folder);
  await until('the job has run', () => endpoint.received.length === 1);
  await until(
    'its delivery is on record',
    async () => (await callLog.deliveries())[0]?.state === 'delivered',
  );
  const exited = new Promise((resolve) => first.once('exit', resolve));
  first.kill('SIGKILL');
  await exited;
  // The dead process's statement would still run in the server: it ends with its session, as it does on a network.
  await holder.query(
    `select pg_terminate_backend(pid) from pg_stat_activity where query like 'delete from outbox%'`,
  );
  await holder.query('rollback');
  await holder.end();
  expect(await callLog.outboxCount()).toBe(1);
  const second = spawnPostCall(database.url, folder);
  await until('the row is gone', async () => (await callLog.outboxCount()) === 0);
  await callLog.addEvent(callId, 'call.ended');
  await until('the next event is delivered', async () => {
    const rows = await callLog.deliveries();
    return rows.length === 2 && rows.every((row) => row.state === 'delivered');
  });
  expect(endpoint.received).toHaveLength(2);
  expect((await callLog.deliveries()).map((row) => row.attempts.length)).toEqual([1, 1]);
  second.kill('SIGKILL');
  endpoint.stop();
  await callLog.close();
  await removeFolder(folder);
  await database.stop();
}, 60_000);

test('the same event in two rows, taken by two processes, is sent once', async () => {
  const database = await withPostgres();
  const folder = await makeFolder();
  const callLog = new CallLog(await migrated(database.url));
  const endpoint = await Endpoint.start();
  const callId = testCallId();
  await callLog.addCall(callId);
  await callLog.addWebhook(endpoint.url, ['call.started', 'call.ended']);
  const services = [await startService(database.url, folder), await startService(database.url, folder)];
  const seq = await callLog.addEvent(callId, 'call.started');
  for (let i = 0; i < 5; i++)
    await callLog.addOutbox({ kind: 'webhook', seq, event: 'call.started', callId });
  await callLog.addEvent(callId, 'call.ended');
  await until('both are delivered', async () => {
    const rows = await callLog.deliveries();
    return rows.length === 2 && rows.every((row) => row.state === 'delivered');
  });
  await until('the outbox is empty', async () => (await callLog.outboxCount()) === 0);
  expect(endpoint.received).toHaveLength(2);
  const { rows } = await callLog.pool.query<{ queue: string; n: number }>(
    'select queue, count(*)::int as n from bullmq.job group by queue order by queue',
  );
  expect(rows).toEqual([
    { queue: 'deliveries', n: 2 },
    { queue: 'webhooks', n: 2 },
  ]);
  for (const service of services) await service.stop();
  endpoint.stop();
  await callLog.close();
  await removeFolder(folder);
  await database.stop();
});

test('jobs go on after PostgreSQL was away', async () => {
  const server = await ownPostgres();
  const folder = await makeFolder();
  const callLog = new CallLog(await migrated(server.url));
  const endpoint = await Endpoint.start();
  const callId = testCallId();
  await callLog.addCall(callId);
  await callLog.addWebhook(endpoint.url, ['call.started', 'call.ended']);
  const service = await startService(server.url, folder);
  await callLog.addEvent(callId, 'call.started');
  await until('the first is delivered', () => endpoint.received.length === 1);
  const gone = new Promise<void>((resolve) => server.onExit(resolve));
  process.kill(server.pid, 'SIGKILL');
  await gone;
  await server.restart();
  await until('the database is back', () =>
    callLog.addEvent(callId, 'call.ended').then(
      () => true,
      () => false,
    ),
  );
  await until('the second is delivered', () => endpoint.received.length === 2, 60_000);
  await service.stop();
  endpoint.stop();
  await callLog.close();
  await removeFolder(folder);
  await server.remove();
}, 120_000);

test('the log that BullMQ keeps of its jobs does not grow for ever', async () => {
  const database = await withPostgres();
  const folder = await makeFolder();
  const callLog = new CallLog(await migrated(database.url));
  const callId = testCallId();
  const count = async (): Promise<number> =>
    (await callLog.pool.query<{ n: number }>('select count(*)::int as n from bullmq.event')).rows[0]!.n;
  const first = await startService(database.url, folder);
  await callLog.addOutbox({ kind: 'recording', callId });
  await until('the job left its traces', async () => (await count()) >= 3);
  await first.stop();
  await callLog.pool.query('update bullmq.event set created_at_ms = created_at_ms - 3600000');
  const second = await startService(database.url, folder);
  await until('the old traces are gone', async () => (await count()) === 0);
  await second.stop();
  await callLog.close();
  await removeFolder(folder);
  await database.stop();
});
