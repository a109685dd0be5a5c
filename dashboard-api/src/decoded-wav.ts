import { Readable } from 'node:stream';
import { setImmediate as others } from 'node:timers/promises';
import { TICKS_PER_SECOND } from '@earshot/contracts';
import { OpusFile } from '@earshot/platform/recording/opus-reader';
import { wavDataBytes, wavHeader } from '@earshot/platform/recording/wav-header';

/** Audio that is decoded before others get their turn: some 2 ms of work for two channels. */
const WINDOW_TICKS = TICKS_PER_SECOND;

/** A WAV file that is made of an Opus recording while it is sent. */
export interface DecodedWav {
  readonly bytes: number;
  /** Decodes as fast as it is read; the file is closed when it ends or is destroyed. */
  readonly stream: Readable;
}

/** @throws OpusFileError; system errors */
export async function decodedWav(path: string): Promise<DecodedWav> {
  const file = await OpusFile.open(path);
  const { channels, samples } = file;
  const format = { channels, sampleRate: TICKS_PER_SECOND, samples };
  const header = wavHeader(format);
  const stream = Readable.from(chunksOf(file, header), { objectMode: false });
  // A generator that was never asked for anything does not run what it has for its end.
  stream.once('close', () => void file.close().catch(() => undefined));
  return { bytes: header.length + wavDataBytes(format), stream };
}

async function* chunksOf(file: OpusFile, header: Buffer): AsyncGenerator<Buffer> {
  yield header;
  const { channels, samples } = file;
  for (let from = 0; from < samples; from += WINDOW_TICKS) {
    const ticks = Math.min(WINDOW_TICKS, samples - from);
    const bytes = Buffer.allocUnsafe(ticks * channels * 2);
    for (let channel = 0; channel < channels; channel++) {
      const one = await file.read(channel, from, ticks);
      for (let i = 0; i < ticks; i++) bytes.writeInt16LE(one[i]!, 2 * (i * channels + channel));
    }
    yield bytes;
    // Neither reading nor writing leaves the turn while buffers have what is wanted.
    await others();
  }
}
