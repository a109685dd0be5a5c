import { open, type FileHandle } from 'node:fs/promises';
import { TICKS_PER_SECOND } from '@earshot/contracts';

/** The file is not a WAV that can be recognised; the message says why. */
export class WavError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'WavError';
  }
}

const UNKNOWN_32 = 0xffffffff;
const FORMAT_PCM = 1;
const FORMAT_EXTENSIBLE = 0xfffe;
const MAX_CHANNELS = 32;

/** A WAV file (RIFF, or RF64 of EBU Tech 3306) of 16-bit PCM at 8 kHz, whose channels are read apart. */
export class WavFile {
  readonly channels: number;
  /** Samples of each channel; one a tick. */
  readonly samples: number;
  readonly #handle: FileHandle;
  readonly #dataOffset: number;

  private constructor(handle: FileHandle, format: { channels: number; samples: number; dataOffset: number }) {
    this.#handle = handle;
    this.channels = format.channels;
    this.samples = format.samples;
    this.#dataOffset = format.dataOffset;
  }

  /** @throws WavError; system errors */
  static async open(path: string): Promise<WavFile> {
    const handle = await open(path, 'r');
    try {
      return new WavFile(handle, await readFormat(handle));
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Samples of one channel, fewer at the end. */
  async read(channel: number, from: number, count: number): Promise<Int16Array> {
    const frames = Math.max(0, Math.min(count, this.samples - from));
    const frameBytes = this.channels * 2;
    const bytes = Buffer.alloc(frames * frameBytes);
    // Zeros where the file is shorter than its header says: a recorder that died leaves such files.
    await this.#handle.read(bytes, 0, bytes.length, this.#dataOffset + from * frameBytes);
    const samples = new Int16Array(frames);
    for (let i = 0; i < frames; i++) samples[i] = bytes.readInt16LE(i * frameBytes + channel * 2);
    return samples;
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}

async function readFormat(
  handle: FileHandle,
): Promise<{ channels: number; samples: number; dataOffset: number }> {
  const head = await readExactly(handle, 0, 12);
  const kind = head?.toString('latin1', 0, 4);
  if (head === null || (kind !== 'RIFF' && kind !== 'RF64') || head.toString('latin1', 8, 12) !== 'WAVE') {
    throw new WavError('not a WAV file');
  }
  let dataBytes64: number | null = null;
  let channels: number | null = null;
  for (let offset = 12; ;) {
    const chunk = await readExactly(handle, offset, 8);
    if (chunk === null) throw new WavError('no data chunk');
    const id = chunk.toString('latin1', 0, 4);
    const size = chunk.readUInt32LE(4);
    const body = offset + 8;
    if (id === 'ds64') {
      const sizes = await readExactly(handle, body, 24);
      if (sizes === null) throw new WavError('broken ds64 chunk');
      dataBytes64 = Number(sizes.readBigUInt64LE(8));
    } else if (id === 'fmt ') {
      channels = channelsOf(await readExactly(handle, body, 16));
    } else if (id === 'data') {
      if (channels === null) throw new WavError('no fmt chunk before the data');
      const rest = Math.max(0, (await handle.stat()).size - body);
      // A size of 0 or of all ones without ds64 is that of a file that was not finished.
      const said = size === UNKNOWN_32 ? (dataBytes64 ?? rest) : size === 0 ? rest : size;
      return { channels, dataOffset: body, samples: Math.floor(Math.min(said, rest) / (channels * 2)) };
    }
    // Chunks are padded to an even length.
    offset = body + size + (size & 1);
  }
}

function channelsOf(fmt: Buffer | null): number {
  if (fmt === null) throw new WavError('broken fmt chunk');
  const format = fmt.readUInt16LE(0);
  const channels = fmt.readUInt16LE(2);
  const rate = fmt.readUInt32LE(4);
  const bits = fmt.readUInt16LE(14);
  if ((format !== FORMAT_PCM && format !== FORMAT_EXTENSIBLE) || bits !== 16)
    throw new WavError('not 16-bit PCM: convert it first');
  if (rate !== TICKS_PER_SECOND)
    throw new WavError(`at ${rate} Hz, not ${TICKS_PER_SECOND}: convert it first`);
  if (channels < 1 || channels > MAX_CHANNELS) throw new WavError(`${channels} channels`);
  return channels;
}

async function readExactly(handle: FileHandle, offset: number, bytes: number): Promise<Buffer | null> {
  const buffer = Buffer.alloc(bytes);
  const { bytesRead } = await handle.read(buffer, 0, bytes, offset);
  return bytesRead === bytes ? buffer : null;
}
