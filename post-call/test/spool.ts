import { appendFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { encodeBlock, type Law, linearTableOf, spoolFileName } from '@earshot/contracts';

export interface Stretch {
  readonly startTick: number;
  /** G.711 codes, one a tick. */
  readonly codes: Uint8Array;
  /** Bits of raw speech; none when left out. */
  readonly vad?: number;
}

/** A block as a media worker writes it. */
export const blockOf = (channelIndex: number, encoding: Law, stretch: Stretch): Buffer =>
  encodeBlock({
    encoding,
    channelIndex,
    startTick: stretch.startTick,
    ticks: stretch.codes.length,
    ssrc: 1,
    extendedSequence: 1,
    rtpTimestampAtEnd: 1,
    srtpRollover: 0,
    packetsReceived: 1,
    packetsLost: 0,
    packetsLate: 0,
    vad: stretch.vad ?? 0,
    payload: stretch.codes,
  });

export async function writeSpool(
  folder: string,
  channelIndex: number,
  encoding: Law,
  stretches: readonly Stretch[],
): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const stretch of stretches) {
    const file = join(folder, spoolFileName(channelIndex, stretch.startTick));
    await appendFile(file, blockOf(channelIndex, encoding, stretch));
  }
}

/** What the channel sounds like: its stretches, silence in between. */
export function samplesOf(encoding: Law, stretches: readonly Stretch[], ticks: number): Int16Array {
  const table = linearTableOf(encoding);
  const samples = new Int16Array(ticks);
  for (const { startTick, codes } of stretches) {
    for (const [i, code] of codes.entries()) samples[startTick + i] = table[code]!;
  }
  return samples;
}

export interface Wav {
  readonly channels: number;
  readonly sampleRate: number;
  readonly bits: number;
  /** By channel. */
  readonly samples: Int16Array[];
}

/** Reads a RIFF file of 16-bit PCM chunk by chunk, as any player does. */
export function readWav(bytes: Buffer): Wav {
  if (bytes.toString('latin1', 0, 4) !== 'RIFF' || bytes.toString('latin1', 8, 12) !== 'WAVE')
    throw new Error('not RIFF WAVE');
  if (bytes.readUInt32LE(4) !== bytes.length - 8) throw new Error('RIFF size');
  let format: { channels: number; sampleRate: number; bits: number } | null = null;
  for (let at = 12; at < bytes.length;) {
    const name = bytes.toString('latin1', at, at + 4);
    const size = bytes.readUInt32LE(at + 4);
    const body = at + 8;
    if (name === 'fmt ') {
      if (bytes.readUInt16LE(body) !== 1) throw new Error('not PCM');
      format = {
        channels: bytes.readUInt16LE(body + 2),
        sampleRate: bytes.readUInt32LE(body + 4),
        bits: bytes.readUInt16LE(body + 14),
      };
    }
    if (name === 'data' && format !== null) {
      const { channels } = format;
      const ticks = size / 2 / channels;
      const samples = Array.from({ length: channels }, (_, channel) =>
        Int16Array.from({ length: ticks }, (_unused, tick) =>
          bytes.readInt16LE(body + 2 * (tick * channels + channel)),
        ),
      );
      return { ...format, samples };
    }
    at = body + size + (size & 1);
  }
  throw new Error('no data chunk');
}
