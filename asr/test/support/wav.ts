/** A WAV file of 16-bit PCM at 8 kHz; the channels are equally long. */
export function wavOf(channels: readonly Int16Array[]): Buffer {
  const samples = channels[0]?.length ?? 0;
  const bytes = Buffer.alloc(44 + samples * channels.length * 2);
  bytes.write('RIFF', 0, 'latin1');
  bytes.writeUInt32LE(bytes.length - 8, 4);
  bytes.write('WAVEfmt ', 8, 'latin1');
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(1, 20);
  bytes.writeUInt16LE(channels.length, 22);
  bytes.writeUInt32LE(8000, 24);
  bytes.writeUInt32LE(16_000 * channels.length, 28);
  bytes.writeUInt16LE(2 * channels.length, 32);
  bytes.writeUInt16LE(16, 34);
  bytes.write('data', 36, 'latin1');
  bytes.writeUInt32LE(bytes.length - 44, 40);
  for (let i = 0; i < samples; i++) {
    for (const [n, channel] of channels.entries())
      bytes.writeInt16LE(channel[i]!, 44 + (i * channels.length + n) * 2);
  }
  return bytes;
}
