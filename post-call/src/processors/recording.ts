import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CALL_ID_PATTERN, type CallId, NOT_RECORDED_FILE } from '@earshot/contracts';
import type { CommandClient, Log, Pool } from '@earshot/platform';
import type { PostCallMetrics } from '../metrics.ts';
import type { RecordingJob } from '../queues/jobs.ts';
import { assembleRecording } from './assemble.ts';

export interface RecordingOptions {
  readonly pool: Pool;
  readonly log: Log;
  readonly metrics: PostCallMetrics;
  readonly dataDir: string;
  /** RECORD: false keeps no audio. */
  readonly record: boolean;
  readonly commands: Pick<CommandClient, 'send'>;
}

const CALL_ID = new RegExp(CALL_ID_PATTERN);

export const recordingFileOf = (callId: CallId): string => `${callId}.wav`;

/**
 * A call's recording, once its transcript is complete: made from the spool, told to transcripts, then the spool goes.
 * Whatever step dies, running it again ends the same: the spool is there until the recording is in the call log.
 */
export async function recordCall(options: RecordingOptions, job: RecordingJob): Promise<void> {
  const { callId } = job;
  // The id becomes a path.
  if (!CALL_ID.test(callId)) throw new Error('not a call id');
  const spool = join(options.dataDir, 'spool', callId);
  try {
    const outcome = await make(options, callId, spool);
    await rm(spool, { recursive: true, force: true });
    options.metrics.recordings.inc({ outcome });
    options.log.info({ callId, outcome }, 'recording');
  } catch (error) {
    options.metrics.recordings.inc({ outcome: 'failed' });
    options.log.error({ err: error, callId }, 'recording failed, will be tried again');
    throw error;
  }
}

async function make(
  options: RecordingOptions,
  callId: CallId,
  spool: string,
): Promise<'made' | 'empty' | 'off'> {
  if (!options.record) return 'off';
  const { rows } = await options.pool.query<{ channels: number; recorded: boolean; end_tick: number }>(
    `select jsonb_array_length(channels) as channels, recording is not null as recorded,
            coalesce((select max(end_tick) from channels c where c.call_id = calls.id), 0) as end_tick
     from calls where id = $1`,
    [callId],
  );
  const call = rows[0];
  // The call was deleted, or an earlier run got as far as the call log.
  if (call === undefined) return 'empty';
  if (call.recorded) return 'made';
  if (existsSync(join(spool, NOT_RECORDED_FILE))) return 'empty';
  const file = recordingFileOf(callId);
  const path = join(options.dataDir, 'recordings', file);
  const made = await assembleRecording(spool, path, call.channels, call.end_tick, (_path, offset) =>
    options.log.warn({ callId, offset }, 'damaged stretch of the spool becomes silence'),
  );
  if (made === null) return 'empty';
  await options.commands.send({ type: 'recording.ready', callId, file, ...made });
  return 'made';
}
