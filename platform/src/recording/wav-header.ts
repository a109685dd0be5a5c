const FORMAT_PCM = 1;
const BYTES_PER_SAMPLE = 2;
const UNKNOWN_32 = 0xffffffff;

export interface WavFormat {
  readonly channels: number;
  readonly sampleRate: number;
  /** Samples of each channel. */
  readonly samples: number;
}

export const wavDataBytes = ({ channels, samples }: WavFormat): number =>
  channels * samples * BYTES_PER_SAMPLE;

/**
 * The header of a WAV file of 16-bit PCM: RIFF, or RF64 with its 64-bit sizes in a ds64 chunk (EBU Tech 3306) where the
 * sizes pass what RIFF can say. The data follow right after it.
 */
export function wavHeader(format: WavFormat): Buffer {
  const dataBytes = wavDataBytes(format);
  return 36 + dataBytes <= UNKNOWN_32 - 1 ? riffHeader(format, dataBytes) : rf64Header(format, dataBytes);
}

function riffHeader(format: WavFormat, dataBytes: number): Buffer {
  const head = Buffer.alloc(12);
  head.write('RIFF', 0, 'latin1');
  head.writeUInt32LE(36 + dataBytes, 4);
  head.write('WAVE', 8, 'latin1');
  return Buffer.concat([head, fmtChunk(format), dataChunk(dataBytes)]);
}

function rf64Header(format: WavFormat, dataBytes: number): Buffer {
  const head = Buffer.alloc(12 + 8 + 28);
  head.write('RF64', 0, 'latin1');
  head.writeUInt32LE(UNKNOWN_32, 4);
  head.write('WAVE', 8, 'latin1');
  head.write('ds64', 12, 'latin1');
  head.writeUInt32LE(28, 16);
  head.writeBigUInt64LE(BigInt(72 + dataBytes), 20); // everything after the first 8 bytes
  head.writeBigUInt64LE(BigInt(dataBytes), 28);
  head.writeBigUInt64LE(BigInt(format.samples), 36);
  head.writeUInt32LE(0, 44); // no table of further sizes
  return Buffer.concat([head, fmtChunk(format), dataChunk(UNKNOWN_32)]);
}

function fmtChunk({ channels, sampleRate }: WavFormat): Buffer {
  const chunk = Buffer.alloc(24);
  chunk.write('fmt ', 0, 'latin1');
  chunk.writeUInt32LE(16, 4);
  chunk.writeUInt16LE(FORMAT_PCM, 8);
  chunk.writeUInt16LE(channels, 10);
  chunk.writeUInt32LE(sampleRate, 12);
  chunk.writeUInt32LE(sampleRate * channels * BYTES_PER_SAMPLE, 16);
  chunk.writeUInt16LE(channels * BYTES_PER_SAMPLE, 20);
  chunk.writeUInt16LE(8 * BYTES_PER_SAMPLE, 22);
  return chunk;
}

function dataChunk(bytes: number): Buffer {
  const chunk = Buffer.alloc(8);
  chunk.write('data', 0, 'latin1');
  chunk.writeUInt32LE(bytes, 4);
  return chunk;
}
