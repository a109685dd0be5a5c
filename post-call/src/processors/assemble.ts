import { createHash } from 'node:crypto';
import { mkdir, open, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { speechFileOf, type SpeechMarks, TICKS_PER_MS, TICKS_PER_SECOND } from '@earshot/contracts';
import { ChannelTimeline } from './timeline.ts';
import { type OnDamage, spoolFilesOf } from './spool-reader.ts';
import { wavDataBytes, wavHeader } from './wav.ts';

/** Audio that is in memory at once. */
const WINDOW_TICKS = 4 * TICKS_PER_SECOND;

export interface AssembledRecording {
  readonly bytes: number;
  /** Hex. */
  readonly sha256: string;
  readonly durationMs: number;
}

/**
 * Makes a call's recording from its spool: 16-bit PCM WAV at 8 kHz, a channel for each of the call's, tick 0 = call zero =
 * sample 0. Written under a temporary name, synced, renamed: a file with the final name is whole. Beside it lies what of it was
 * found to be speech (contracts/src/speech.ts), for a retranscription.
 *
 * @param channels of the call; a channel without audio is silence
 * @param endTick of the call's timeline: after the last audio comes silence up to there
 * @returns null when no channel has audio: nothing is written
 */
export async function assembleRecording(
  spoolFolder: string,
  path: string,
  channels: number,
  endTick: number,
  onDamage: OnDamage,
): Promise<AssembledRecording | null> {
  const files = await spoolFilesOf(spoolFolder);
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
  const samples = Math.max(lastAudio, endTick);
  const format = { channels, sampleRate: TICKS_PER_SECOND, samples };
  const header = wavHeader(format);
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.partial`;
  const hash = createHash('sha256');
  const handle = await open(temporary, 'w', 0o640);
  try {
    await handle.writeFile(header);
    hash.update(header);
    const window = new Int16Array(WINDOW_TICKS * channels);
    for (let tick = 0; tick < samples; tick += WINDOW_TICKS) {
      const ticks = Math.min(WINDOW_TICKS, samples - tick);
      for (const [index, timeline] of timelines.entries()) {
        await timeline.fill(window, index, channels, tick, ticks);
      }
      const bytes = littleEndian(window.subarray(0, ticks * channels));
      hash.update(bytes);
      await handle.writeFile(bytes);
    }
    await handle.sync();
  } catch (error) {
    await handle.close();
    await rm(temporary, { force: true });
    throw error;
  } finally {
    for (const timeline of timelines) await timeline.close();
  }
  await handle.close();
  const marks: SpeechMarks = { channels: timelines.map((timeline) => timeline.marks) };
  await writeFile(`${speechFileOf(path)}.partial`, JSON.stringify(marks), { mode: 0o640 });
  await rename(`${speechFileOf(path)}.partial`, speechFileOf(path));
  await rename(temporary, path);
  await syncFolder(dirname(path));
  return {
    bytes: header.length + wavDataBytes(format),
    sha256: hash.digest('hex'),
    durationMs: Math.round(samples / TICKS_PER_MS),
  };
}

/** A view where the machine is little-endian, as all that Node runs on are; else swapped in place. */
function littleEndian(samples: Int16Array): Buffer {
  const bytes = Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength);
  return new Uint8Array(new Uint16Array([1]).buffer)[0] === 1 ? bytes : bytes.swap16();
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
