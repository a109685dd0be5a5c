import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  CALL_ID_PATTERN,
  type CallId,
  channelIdOf,
  type Command,
  type RecordingFacts,
  recordingFilesOf,
  type RevisedSegment,
  speechFileOf,
  type VocabularyPhrase,
} from '@earshot/contracts';
import { type CommandClient, CommandError, type Log, type Pool } from '@earshot/platform';
import type { PostCallMetrics } from '../metrics.ts';
import type { RetranscriptionJob } from '../queues/jobs.ts';
import { type ModelPlaces, modelFolderOf } from './model-folder.ts';
import { type Recognised, RecognitionRefused, recogniseRecording } from './recogniser.ts';

export interface RetranscriptionOptions extends ModelPlaces {
  readonly pool: Pool;
  readonly log: Log;
  readonly metrics: PostCallMetrics;
  readonly commands: Pick<CommandClient, 'send'>;
  /** Aborted when this process ends: the job is begun again by the next. */
  readonly stopping: AbortSignal;
}

/** A recogniser that crashes so often crashes on this recording. */
const MAX_CRASHES = 3;
/** The engine leaves out what is beyond it. */
const MOST_PHRASES = 1000;
/** A fraction of the longest frame between our processes. */
const PART_BYTES = 2 * 1024 * 1024;
/** Pauses before the parts are sent again, doubled each time. */
const FIRST_PAUSE_MS = 1000;
const LAST_PAUSE_MS = 60_000;
const LEAST_LIMIT_MS = 30 * 60_000;
/** At low priority beside live calls it may run slowly, but not slower than this. */
const SLOWEST_OF_REAL_TIME = 4;
const CALL_ID = new RegExp(CALL_ID_PATTERN);

/** It failed for good: the row says why, and nothing is tried again. */
class Failed extends Error {
  readonly code: string;
  constructor(code: string, detail: string) {
    super(detail);
    this.code = code;
  }
}

interface Asked {
  readonly model: string | null;
  readonly vocabulary: string[];
  readonly complete: boolean;
  readonly recording: RecordingFacts | null;
  readonly channels: number;
}

/**
 * Recognises a call's recording again and sends transcripts what it heard. The row of the table retranscriptions follows it:
 * queued, running, done or failed.
 * @param attemptsMade tries before this one
 */
export async function retranscribe(
  options: RetranscriptionOptions,
  job: RetranscriptionJob,
  attemptsMade: number,
): Promise<void> {
  const { pool, log, metrics } = options;
  const { retranscription, callId } = job;
  const asked = await begin(pool, job);
  // Its call was deleted, or an earlier run got to the end.
  if (asked === null) return;
  try {
    await run(options, job, asked);
    await finish(pool, retranscription, null);
    metrics.retranscriptions.inc({ outcome: 'done' });
    log.info({ callId, retranscription }, 'recording recognised again');
  } catch (error) {
    const failure = failureOf(error, attemptsMade, options.stopping.aborted);
    if (failure === null) {
      metrics.retranscriptions.inc({ outcome: 'retry' });
      if (!options.stopping.aborted)
        log.warn({ err: error, callId, retranscription }, 'retranscription failed, will be tried again');
      throw error;
    }
    metrics.retranscriptions.inc({ outcome: 'failed' });
    log.warn({ err: error, callId, retranscription, code: failure.code }, 'retranscription failed');
    await finish(pool, retranscription, failure);
  }
}

/**
 * Makes outbox rows of those that are not at their end. Most have a job, and the job ids see to it that none gets two; one whose
 * job was lost (an emptied Redis, a job given up) would otherwise keep its call from ever being recognised again.
 */
export async function requeueRetranscriptions(pool: Pool): Promise<void> {
  await pool.query(
    `insert into outbox (payload)
     select jsonb_build_object('kind', 'retranscription', 'callId', call_id, 'retranscription', id)
     from retranscriptions where state in ('queued', 'running') order by created_at`,
  );
}

async function begin(pool: Pool, { retranscription, callId }: RetranscriptionJob): Promise<Asked | null> {
  if (!CALL_ID.test(callId)) throw new Error('not a call id');
  const { rows } = await pool.query<Asked>(
    `update retranscriptions r set state = 'running', started_at = now() from calls c
     where r.id = $1 and c.id = r.call_id and c.id = $2 and r.state in ('queued', 'running')
     returning r.model, r.vocabulary, c.complete, c.recording, jsonb_array_length(c.channels) as channels`,
    [retranscription, callId],
  );
  return rows[0] ?? null;
}

async function finish(pool: Pool, id: string, failure: Failed | null): Promise<void> {
  await pool.query(
    'update retranscriptions set state = $2, finished_at = now(), error = $3::jsonb where id = $1',
    [
      id,
      failure === null ? 'done' : 'failed',
      failure === null ? null : JSON.stringify({ code: failure.code, detail: failure.message }),
    ],
  );
}

async function run(
  options: RetranscriptionOptions,
  { callId, retranscription }: RetranscriptionJob,
  asked: Asked,
): Promise<void> {
  const { pool, dataDir, stopping } = options;
  if (!asked.complete) throw new Failed('CALL_NOT_COMPLETE', 'the transcript is not complete yet');
  if (asked.recording === null) throw new Failed('RECORDING_MISSING', 'the call has no recording');
  const model = await modelFolderOf(options, asked.model);
  if (model.kind === 'none') throw new Failed('MODEL_NOT_FOUND', model.detail);
  const paths = recordingFilesOf(asked.recording).map(({ file }) => join(dataDir, 'recordings', file));
  // WAV is the first where there is both. Old ones may have been cleared away, to keep what is small.
  const path = paths.find((one) => existsSync(one)) ?? paths[0]!;
  const recognised = await recogniseRecording({
    path,
    speechPath: speechFileOf(path),
    model: model.folder,
    phrases: await phrasesOf(pool, asked.vocabulary),
    limitMs: LEAST_LIMIT_MS + SLOWEST_OF_REAL_TIME * asked.recording.durationMs * asked.channels,
    signal: stopping,
  });
  const parts = partsOf(callId, recognised);
  const revision = parts.map((segments, part): Command => ({
    type: 'transcript.revise',
    callId,
    retranscription,
    model: recognised.model,
    vocabulary: asked.vocabulary,
    part,
    parts: parts.length,
    segments,
  }));
  await tell(options, revision);
}

/**
 * Sends all parts, from the first again while transcripts is away or was replaced in between (NOT_READY): what was recognised,
 * in minutes or hours, is not thrown away for that. Sent twice they count once.
 * @throws CommandError any other refusal, and NOT_READY when this process ends
 */
async function tell(
  { commands, log, stopping }: RetranscriptionOptions,
  revision: readonly Command[],
): Promise<void> {
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LAST_PAUSE_MS)) {
    try {
      for (const part of revision) await commands.send(part);
      return;
    } catch (error) {
      if (!(error instanceof CommandError) || error.code !== 'NOT_READY' || stopping.aborted) throw error;
      log.warn({ err: error, pauseMs }, 'transcripts did not take a retranscription, will be sent again');
    }
    await delay(pauseMs, undefined, { signal: stopping });
  }
}

/** The phrases of the lists, as an engine puts them together: each once, with its strongest boost. */
async function phrasesOf(pool: Pool, names: readonly string[]): Promise<VocabularyPhrase[]> {
  if (names.length === 0) return [];
  const { rows } = await pool.query<{ name: string; phrases: VocabularyPhrase[] }>(
    'select name, phrases from vocabulary where name = any($1)',
    [names],
  );
  const phrases = new Map<string, VocabularyPhrase>();
  for (const name of names) {
    for (const phrase of rows.find((row) => row.name === name)?.phrases ?? []) {
      const known = phrases.get(phrase.text);
      if (known === undefined ? phrases.size < MOST_PHRASES : known.boost < phrase.boost) {
        phrases.set(phrase.text, phrase);
      }
    }
  }
  return [...phrases.values()];
}

/** Cut so that each part fits into a frame. At least one part, if only an empty one. */
function partsOf(callId: CallId, { segments }: Recognised): RevisedSegment[][] {
  const parts: RevisedSegment[][] = [[]];
  let bytes = 0;
  for (const { channel, ...rest } of segments) {
    const segment = { ...rest, channel: channelIdOf(callId, channel) };
    const size = JSON.stringify(segment).length;
    if (bytes > 0 && bytes + size > PART_BYTES) {
      parts.push([]);
      bytes = 0;
    }
    parts.at(-1)!.push(segment);
    bytes += size;
  }
  return parts;
}

/** Why it failed for good; null when it is worth another try. */
function failureOf(error: unknown, attemptsMade: number, stopping: boolean): Failed | null {
  if (error instanceof Failed) return error;
  if (error instanceof RecognitionRefused) return new Failed(error.code, error.message);
  if (error instanceof CommandError) {
    const final =
      error.code === 'CALL_NOT_FOUND' || error.code === 'CALL_NOT_COMPLETE' || error.code === 'INTERNAL';
    return final ? new Failed(error.code, error.message) : null;
  }
  if (stopping || attemptsMade + 1 < MAX_CRASHES) return null;
  return new Failed('RETRANSCRIPTION_FAILED', 'the recogniser failed again and again; the log says how');
}
