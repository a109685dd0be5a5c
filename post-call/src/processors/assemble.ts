import { mkdir, open, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type CallId,
  RECORDING_FORMATS,
  type RecordingFacts,
  type RecordingFile,
  type RecordingFormat,
  speechFileOf,
  type SpeechMarks,
  TICKS_PER_MS,
  TICKS_PER_SECOND,
} from '@earshot/contracts';
import { newRecordingWriter, type RecordingShape, type RecordingWriter } from './recording-files.ts';
import { type OnDamage, spoolFilesOf } from './spool-reader.ts';
import { ChannelTimeline } from './timeline.ts';

/** Audio that is in memory at once. */
const WINDOW_TICKS = 4 * TICKS_PER_SECOND;

export interface AssemblyTask {
  readonly callId: CallId;
  readonly spoolFolder: string;
  /** Where the files go; made where it is not there. */
  readonly recordingsFolder: string;
  /** At least one. */
  readonly formats: readonly RecordingFormat[];
  /** Of the call; a channel without audio is silence. */
  readonly channels: number;
  /** Of the call's timeline: after the last audio comes silence up to there. */
  readonly endTick: number;
  readonly onDamage: OnDamage;
}

const recordingFileOf = (callId: CallId, format: RecordingFormat): string => `${callId}.${format}`;

/**
 * Makes a call's recording from its spool, in each format at once: 8 kHz, a channel for each of the call's, tick 0 = call zero =
 * sample 0. Written under temporary names, synced, renamed: a file with its final name is whole. Beside them lies what of it was
 * found to be speech (contracts/src/speech.ts), for a retranscription. Run again, it makes the same files.
 *
 * @returns null when no channel has audio: nothing is written
 */
export async function assembleRecording(task: AssemblyTask): Promise<RecordingFacts | null> {
  const { callId, recordingsFolder, formats, channels, endTick, onDamage } = task;
  const files = await spoolFilesOf(task.spoolFolder);
  const timelines = Array.from(
    { length: channels },
    (_, index) =>
      new ChannelTimeline(
        files.filter((file) => file.channelIndex === index),
        onDamage,
      ),
  );
  const lastAudio = Math.max(0, ...(await Promise.all(timelines.map((timeline) => timeline.endTick()))));
  if (lastAudio === 0) return null;
  const shape: RecordingShape = { callId, channels, samples: Math.max(lastAudio, endTick) };
  const pathOf = (format: RecordingFormat): string => join(recordingsFolder, recordingFileOf(callId, format));
  await mkdir(recordingsFolder, { recursive: true });
  const writers: RecordingWriter[] = [];
  const made: RecordingFile[] = [];
  try {
    for (const format of formats) writers.push(await newRecordingWriter(format, pathOf(format), shape));
    await writeAll(timelines, shape, writers);
    for (const writer of writers) made.push(await writer.finish());
    await writeMarks(pathOf(formats[0]!), { channels: timelines.map((timeline) => timeline.marks) });
  } catch (error) {
    for (const writer of writers) await writer.abandon();
    throw error;
  } finally {
    for (const timeline of timelines) await timeline.close();
  }
  for (const writer of writers) await writer.publish();
  // An earlier run may have been told of other formats, and of a file that is not in the call log nobody knows.
  for (const format of RECORDING_FORMATS) {
    if (formats.includes(format)) continue;
    for (const path of [pathOf(format), `${pathOf(format)}.partial`]) await rm(path, { force: true });
  }
  await syncFolder(recordingsFolder);
  const { file, bytes, sha256 } = made[0]!;
  return { file, bytes, sha256, durationMs: Math.round(shape.samples / TICKS_PER_MS), formats: made };
}

async function writeAll(
  timelines: readonly ChannelTimeline[],
  { channels, samples }: RecordingShape,
  writers: readonly RecordingWriter[],
): Promise<void> {
  const window = new Int16Array(WINDOW_TICKS * channels);
  for (let tick = 0; tick < samples; tick += WINDOW_TICKS) {
    const ticks = Math.min(WINDOW_TICKS, samples - tick);
    for (const [index, timeline] of timelines.entries()) {
      await timeline.fill(window, index, channels, tick, ticks);
    }
    for (const writer of writers) await writer.write(window.subarray(0, ticks * channels));
  }
}

async function writeMarks(recordingPath: string, marks: SpeechMarks): Promise<void> {
  const path = speechFileOf(recordingPath);
  await writeFile(`${path}.partial`, JSON.stringify(marks), { mode: 0o640 });
  await rename(`${path}.partial`, path);
}

/** Makes the rename last through a loss of power. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
