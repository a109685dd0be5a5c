import { spawn } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createHash } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { afterAll, expect, test } from 'vitest';
import { channelIdOf, type EventView } from '@earshot/contracts';
import { stopServers, withPostgres } from '../../host/test/postgres.ts';
import {
  makeCall,
  spawnTranscripts,
  Surroundings,
  totalsOf,
  wordsFrom,
} from '../../transcripts/test/harness.ts';
import { CallLog, Endpoint, migrated, until } from './harness.ts';
import { readWav, samplesOf, writeSpool } from './spool.ts';

afterAll(stopServers);

test('from the words of a live call to its webhooks and its recording, with both real processes', async () => {
  const database = await withPostgres();
  const callLog = new CallLog(await migrated(database.url));
  const around = await Surroundings.make();
  const endpoint = await Endpoint.start();
  const types = ['call.started', 'segment.final', 'call.ended', 'transcript.completed', 'call.updated'];
  const { secret } = await callLog.addWebhook(endpoint.url, types);
  const transcripts = spawnTranscripts(database.url, around.runDir);
  const postCall = spawn(process.execPath, [join(import.meta.dirname, '../main.ts')], {
    env: {
      ...process.env,
      DATABASE_URL: database.url,
      DATA_DIR: around.runDir,
      EARSHOT_RUN_DIR: around.runDir,
      LOG_LEVEL: 'warn',
    },
    stdio: 'ignore',
  });
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
    expect(events.at(-1)?.data['recording']).toEqual({
      bytes: bytes.length,
      sha256: createHash('sha256').update(bytes).digest('hex'),
      durationMs: 550,
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
