import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createHash } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { afterAll, expect, test } from 'vitest';
import {
  BLOCK_TICKS,
  channelIdOf,
  type EventView,
  linearToUlaw,
  type RevisionView,
} from '@earshot/contracts';
import { canSpeak, speak } from '../../asr/test/support/speech.ts';
import { stopServers, withPostgres } from '../../host/test/postgres.ts';
import {
  makeCall,
  spawnTranscripts,
  Surroundings,
  totalsOf,
  wordsFrom,
} from '../../transcripts/test/harness.ts';
import { CallLog, Endpoint, migrated, spawnPostCall, until } from './harness.ts';
import { readWav, samplesOf, writeSpool } from './spool.ts';

afterAll(stopServers);

test.skipIf(!canSpeak)(
  'a recording that is recognised again revises the transcript, and the webhook has the differences (needs flite)',
  async () => {
    const database = await withPostgres();
    const callLog = new CallLog(await migrated(database.url));
    const around = await Surroundings.make();
    const endpoint = await Endpoint.start();
    const { secret } = await callLog.addWebhook(endpoint.url, ['transcript.revised']);
    const transcripts = spawnTranscripts(database.url, around.runDir);
    const postCall = spawnPostCall(database.url, around.runDir);
    try {
      await around.connected();
      const call = makeCall(1);
      const channel = channelIdOf(call.callId, 0);
      const codes = Uint8Array.from(speak('slt', 'thank you for calling how can i help you'), linearToUlaw);
      const blocks = Array.from({ length: Math.ceil(codes.length / BLOCK_TICKS) }, (_, i) => ({
        startTick: i * BLOCK_TICKS,
        codes: codes.subarray(i * BLOCK_TICKS, (i + 1) * BLOCK_TICKS),
        vad: 2 ** 25 - 1,
      }));
      await writeSpool(join(around.runDir, 'spool', call.callId), 0, 'PCMU', blocks);
      await around.acked(around.start(call));
      const { attempt } = await around.open(channel, 1);
      around.final(channel, attempt, 0, wordsFrom(0, 'tank', 'you'), codes.length);
      await around.acked(around.end(call.callId, [totalsOf(channel, codes.length)]));
      await until('the recording', async () => {
        const { rows } = await callLog.pool.query('select 1 from calls where recording is not null');
        return rows.length > 0;
      });
      await callLog.pool.query(
        `insert into retranscriptions (id, call_id, model, vocabulary) values ('rt_1', $1, null, '["default"]')`,
        [call.callId],
      );
      await callLog.addOutbox({ kind: 'retranscription', callId: call.callId, retranscription: 'rt_1' });
      const { headers, body } = await until('the webhook', () => endpoint.received[0], 60_000);
      const event = new Webhook(secret).verify(body, headers as Record<string, string>) as EventView;
      expect(event.type).toBe('transcript.revised');
      const data = event.data as unknown as RevisionView;
      expect(data).toMatchObject({
        callId: call.callId,
        retranscription: 'rt_1',
        externalIds: call.externalIds,
      });
      expect(data.revision).toBe(data.previousRevision + 1);
      expect(data.differences.map(({ after }) => after).join(' ')).toContain('calling');
      const { rows } = await callLog.pool.query<{ spoken: string }>('select spoken from segments');
      expect(rows.map(({ spoken }) => spoken).join(' ')).toMatch(/thank you for calling/);
      await until('the job is done', async () => {
        const done = await callLog.pool.query(`select 1 from retranscriptions where state = 'done'`);
        return done.rows.length > 0;
      });
    } finally {
      transcripts.kill('SIGKILL');
      postCall.kill('SIGKILL');
      endpoint.stop();
      await around.close();
      await callLog.close();
      await database.stop();
    }
  },
  120_000,
);

test('from the words of a live call to its webhooks and its recording, with both real processes', async () => {
  const database = await withPostgres();
  const callLog = new CallLog(await migrated(database.url));
  const around = await Surroundings.make();
  const endpoint = await Endpoint.start();
  const types = ['call.started', 'segment.final', 'call.ended', 'transcript.completed', 'call.updated'];
  const { secret } = await callLog.addWebhook(endpoint.url, types);
  const transcripts = spawnTranscripts(database.url, around.runDir);
  const postCall = spawnPostCall(database.url, around.runDir);
  try {
    await around.connected();
    const call = makeCall(2);
    const channel = channelIdOf(call.callId, 0);
    const audio = [{ startTick: 400, codes: Uint8Array.from({ length: 4000 }, (_, i) => i & 0xff) }];
    const spool = join(around.runDir, 'spool', call.callId);
    await writeSpool(spool, 0, 'PCMU', audio);
    await around.acked(around.start(call));
    const { attempt } = await around.open(channel, 1);
    around.final(channel, attempt, 0, wordsFrom(0, 'hello'), 4400);
    const totals = [totalsOf(channel, 4400), totalsOf(channelIdOf(call.callId, 1), 0)];
    await around.acked(around.end(call.callId, totals));
    await until('all events are delivered', () => endpoint.received.length >= types.length);
    const events = endpoint.received
      .map(
        ({ body, headers }) =>
          new Webhook(secret).verify(body, headers as Record<string, string>) as EventView,
      )
      .sort((a, b) => a.seq - b.seq);
    expect(events.map((event) => event.type)).toEqual(types);
    expect(events.map((event) => event.callSeq)).toEqual([1, 2, 3, 4, 5]);
    for (const { callId, data } of events) {
      expect(callId).toBe(call.callId);
      expect(data['externalIds']).toEqual(call.externalIds);
    }
    const bytes = await readFile(join(around.runDir, 'recordings', `${call.callId}.wav`));
    const wav = { bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
    const { size } = await stat(join(around.runDir, 'recordings', `${call.callId}.opus`));
    expect(events.at(-1)?.data['recording']).toMatchObject({
      ...wav,
      durationMs: 550,
      formats: [
        { format: 'wav', ...wav },
        { format: 'opus', bytes: size },
      ],
    });
    const { samples } = readWav(bytes);
    expect(samples).toEqual([samplesOf('PCMU', audio, 4400), new Int16Array(4400)]);
    await until('the spool is gone', () =>
      stat(spool).then(
        () => false,
        () => true,
      ),
    );
  } finally {
    transcripts.kill('SIGKILL');
    postCall.kill('SIGKILL');
    endpoint.stop();
    await around.close();
    await callLog.close();
    await database.stop();
  }
}, 60_000);
