import { open } from 'node:fs/promises';
import { OpusFile, OpusFileError } from '@earshot/platform/recording/opus-reader';
import { WavError, WavFile } from './wav-file.ts';

/** Audio at 8 kHz whose channels are read apart, each from its beginning to its end. */
export interface AudioFile {
  readonly channels: number;
  /** Samples of each channel; one a tick. */
  readonly samples: number;
  /** Samples of one channel, fewer at the end. */
  read(channel: number, from: number, count: number): Promise<Int16Array>;
  close(): Promise<void>;
}

/** The file is none that can be recognised; the message says why. */
export class AudioFileError extends Error {
  constructor(message: string, cause: Error) {
    super(message, { cause });
    this.name = 'AudioFileError';
  }
}

/** What a file is its first bytes say, not its name. @throws AudioFileError; system errors */
export async function openAudioFile(path: string): Promise<AudioFile> {
  try {
    return (await isOgg(path)) ? await OpusFile.open(path) : await WavFile.open(path);
  } catch (error) {
    if (error instanceof OpusFileError || error instanceof WavError)
      throw new AudioFileError(error.message, error);
    throw error;
  }
}

async function isOgg(path: string): Promise<boolean> {
  const handle = await open(path, 'r');
  try {
    const head = Buffer.alloc(4);
    await handle.read(head, 0, 4, 0);
    return head.toString('latin1') === 'OggS';
  } finally {
    await handle.close();
  }
}
