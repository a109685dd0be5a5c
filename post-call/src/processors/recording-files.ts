import { createHash } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { basename } from 'node:path';
import { setImmediate as others } from 'node:timers/promises';
import { type CallId, type RecordingFile, type RecordingFormat, TICKS_PER_SECOND } from '@earshot/contracts';
import { OpusWriter } from '@earshot/platform/recording/opus-writer';
import { wavHeader } from '@earshot/platform/recording/wav-header';

/** What of a recording is encoded before others get their turn: some 10 ms of work for two channels. */
const ENCODED_TICKS = TICKS_PER_SECOND;

export interface RecordingShape {
  readonly callId: CallId;
  readonly channels: number;
  /** Of each channel. */
  readonly samples: number;
}

/** A recording in one format, while it is made. */
export interface RecordingWriter {
  /** @param samples of all channels in turn, after those before; the array is used again */
  write(samples: Int16Array): Promise<void>;
  /** All was written. The file is whole and on the disk, under its temporary name. */
  finish(): Promise<RecordingFile>;
  /** Gives it its name. */
  publish(): Promise<void>;
  /** Leaves no file. */
  abandon(): Promise<void>;
}

/** @param path of the file as it will be called @throws system errors */
export async function newRecordingWriter(
  format: RecordingFormat,
  path: string,
  shape: RecordingShape,
): Promise<RecordingWriter> {
  const file = await HashedFile.create(path);
  if (format === 'opus') return new OpusFileWriter(file, shape);
  const { channels, samples } = shape;
  await file.write(wavHeader({ channels, sampleRate: TICKS_PER_SECOND, samples }));
  return new WavWriter(file);
}

class WavWriter implements RecordingWriter {
  readonly #file: HashedFile;

  constructor(file: HashedFile) {
    this.#file = file;
  }

  write(samples: Int16Array): Promise<void> {
    return this.#file.write(littleEndian(samples));
  }

  finish(): Promise<RecordingFile> {
    return this.#file.finish('wav');
  }

  publish(): Promise<void> {
    return this.#file.publish();
  }

  abandon(): Promise<void> {
    return this.#file.abandon();
  }
}

class OpusFileWriter implements RecordingWriter {
  readonly #file: HashedFile;
  readonly #opus: OpusWriter;
  readonly #channels: number;

  constructor(file: HashedFile, { callId, channels }: RecordingShape) {
    this.#file = file;
    this.#channels = channels;
    this.#opus = new OpusWriter({
      channels,
      // Any number does. Of the call, so that a job that is run again makes the same file.
      serial: createHash('sha256').update(callId).digest().readUInt32LE(0),
      comments: ['ENCODER=Earshot', `EARSHOT_CALL=${callId}`],
    });
  }

  async write(samples: Int16Array): Promise<void> {
    const step = ENCODED_TICKS * this.#channels;
    for (let at = 0; at < samples.length; at += step) {
      for (const page of this.#opus.write(samples.subarray(at, at + step))) await this.#file.write(page);
      await others();
    }
  }

  async finish(): Promise<RecordingFile> {
    for (const page of this.#opus.finish()) await this.#file.write(page);
    this.#opus.close();
    return this.#file.finish('opus');
  }

  publish(): Promise<void> {
    return this.#file.publish();
  }

  abandon(): Promise<void> {
    this.#opus.close();
    return this.#file.abandon();
  }
}

/** A file under a temporary name, its length and its SHA-256. */
class HashedFile {
  readonly #path: string;
  readonly #handle: FileHandle;
  readonly #hash = createHash('sha256');
  #bytes = 0;

  private constructor(path: string, handle: FileHandle) {
    this.#path = path;
    this.#handle = handle;
  }

  static async create(path: string): Promise<HashedFile> {
    return new HashedFile(path, await open(`${path}.partial`, 'w', 0o640));
  }

  async write(bytes: Buffer): Promise<void> {
    this.#hash.update(bytes);
    this.#bytes += bytes.length;
    await this.#handle.writeFile(bytes);
  }

  async finish(format: RecordingFormat): Promise<RecordingFile> {
    await this.#handle.sync();
    await this.#handle.close();
    return { format, file: basename(this.#path), bytes: this.#bytes, sha256: this.#hash.digest('hex') };
  }

  publish(): Promise<void> {
    return rename(`${this.#path}.partial`, this.#path);
  }

  async abandon(): Promise<void> {
    await this.#handle.close();
    await rm(`${this.#path}.partial`, { force: true });
  }
}

/** A view where the machine is little-endian, as all that Node runs on are; else swapped, for a copy. */
function littleEndian(samples: Int16Array): Buffer {
  const bytes = Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength);
  return new Uint8Array(new Uint16Array([1]).buffer)[0] === 1 ? bytes : Buffer.from(bytes).swap16();
}
