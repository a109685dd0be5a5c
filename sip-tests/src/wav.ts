/** Mono or stereo, 16-bit PCM. */
export interface Wav {
  readonly rate: number;
  /** One array of samples a channel, all of one length. */
  readonly channels: readonly Int16Array[];
}

/** Bytes of a WAV file (RIFF, format 1, 16 bits). */
export function encodeWav({ rate, channels }: Wav): Buffer {
  const count = channels.length;
  const samples = channels[0]?.length ?? 0;
  const bytes = Buffer.alloc(44 + 2 * count * samples);
  bytes.write('RIFF', 0, 'latin1');
  bytes.writeUInt32LE(bytes.length - 8, 4);
  bytes.write('WAVEfmt ', 8, 'latin1');
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(1, 20);
  bytes.writeUInt16LE(count, 22);
  bytes.writeUInt32LE(rate, 24);
  bytes.writeUInt32LE(2 * count * rate, 28);
  bytes.writeUInt16LE(2 * count, 32);
  bytes.writeUInt16LE(16, 34);
  bytes.write('data', 36, 'latin1');
  bytes.writeUInt32LE(2 * count * samples, 40);
  for (const [index, channel] of channels.entries()) {
    for (let i = 0; i < samples; i += 1) bytes.writeInt16LE(channel[i] ?? 0, 44 + 2 * (i * count + index));
  }
  return bytes;
}

/** Reads a WAV file of 16-bit PCM whatever chunks come before its data. @throws Error for anything else */
export function decodeWav(bytes: Buffer): Wav {
  if (bytes.toString('latin1', 0, 4) !== 'RIFF' || bytes.toString('latin1', 8, 12) !== 'WAVE') {
    throw new Error('not a WAV file');
  }
  let rate = 0;
  let count = 0;
  for (let at = 12; at + 8 <= bytes.length;) {
    const name = bytes.toString('latin1', at, at + 4);
    // A program that writes to a pipe does not know the length: then it says the most there is.
    const length = Math.min(bytes.readUInt32LE(at + 4), bytes.length - at - 8);
    const start = at + 8;
    if (name === 'fmt ') {
      count = bytes.readUInt16LE(start + 2);
      rate = bytes.readUInt32LE(start + 4);
      if (bytes.readUInt16LE(start + 14) !== 16) throw new Error('not 16 bits a sample');
    } else if (name === 'data') {
      if (count === 0) throw new Error('no format before the data');
      const samples = Math.floor(length / (2 * count));
      const channels = Array.from({ length: count }, (_, index) =>
        Int16Array.from({ length: samples }, (_each, i) =>
          bytes.readInt16LE(start + 2 * (i * count + index)),
        ),
      );
      return { rate, channels };
    }
    at = start + length + (length % 2);
  }
  throw new Error('no data in the WAV file');
}
