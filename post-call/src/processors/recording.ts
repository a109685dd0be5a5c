import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CALL_ID_PATTERN, type CallId, NOT_RECORDED_FILE, type RecordingFormat } from '@earshot/contracts';
import type { CommandClient, Log, Pool } from '@earshot/platform';
import { canOpus } from '@earshot/platform/recording/native-opus';
import { MOST_OPUS_CHANNELS } from '@earshot/platform/recording/opus-headers';
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
  /** RECORDING_FORMATS. */
  readonly formats: readonly RecordingFormat[];
  readonly commands: Pick<CommandClient, 'send'>;
}

const CALL_ID = new RegExp(CALL_ID_PATTERN);

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
  const recording = await assembleRecording({
    callId,
    spoolFolder: spool,
    recordingsFolder: join(options.dataDir, 'recordings'),
    formats: formatsFor(options, callId, call.channels),
    channels: call.channels,
    endTick: call.end_tick,
    onDamage: (_path, offset) =>
      options.log.warn({ callId, offset }, 'damaged stretch of the spool becomes silence'),
  });
  if (recording === null) return 'empty';
  await options.commands.send({ type: 'recording.ready', callId, recording });
  return 'made';
}

/** What was asked for as far as it can be made, and WAV rather than nothing. */
function formatsFor(
  { formats, log }: RecordingOptions,
  callId: CallId,
  channels: number,
): readonly RecordingFormat[] {
  if (!formats.includes('opus') || (canOpus() && channels <= MOST_OPUS_CHANNELS)) return formats;
  log.warn(
    { callId, channels, most: MOST_OPUS_CHANNELS, encoder: canOpus() },
    'recorded as WAV only: no Opus encoder here, or too many channels for a file of it',
  );
  return ['wav'];
}
