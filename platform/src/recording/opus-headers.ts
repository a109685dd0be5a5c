/** The two packets before the audio of Ogg Opus (RFC 7845, section 5). */

const VERSION = 1;
/** Mapping families (section 5.1.1): mono and stereo; the speakers of Vorbis; channels without a place of their own. */
const FAMILY_RTP = 0;
const FAMILY_VORBIS = 1;
const FAMILY_DISCRETE = 255;
/** Before the mapping table. */
const HEAD_BYTES = 19;
/** A channel is one byte in the mapping table, and 255 there means silence. */
export const MOST_OPUS_CHANNELS = 255;

export interface OpusHead {
  readonly channels: number;
  /** Samples at 48 kHz that the decoder gives before the first of the recording. */
  readonly preSkip: number;
}

/**
 * For each output channel of family 1, which are in Vorbis' order (section 5.1.1.2), the channel of the call that it is: such
 * that they are in the call's order where players and converters put them into that of WAV. From six on one would be a
 * loudspeaker for bass, which what mixes them down leaves out.
 */
const VORBIS_ORDERS = [[], [0], [0, 1], [0, 2, 1], [0, 1, 2, 3], [0, 2, 1, 3, 4]] as const;

/**
 * A stream of one channel for each channel; stream n is the call's channel n. One alone is family 0. Up to five are family 1,
 * which, as family 0 does not, allows two channels to be two streams. More are family 255, which means that they
 * have no place in a room: ffmpeg and Chromium read it, libopusfile does not.
 */
export function opusHead({ channels, preSkip }: OpusHead, inputRate: number): Buffer {
  const order = VORBIS_ORDERS[channels] ?? Array(channels).keys();
  const family =
    channels === 1 ? FAMILY_RTP : channels < VORBIS_ORDERS.length ? FAMILY_VORBIS : FAMILY_DISCRETE;
  const head = Buffer.alloc(HEAD_BYTES);
  head.write('OpusHead', 0, 'latin1');
  head[8] = VERSION;
  head[9] = channels;
  head.writeUInt16LE(preSkip, 10);
  head.writeUInt32LE(inputRate, 12);
  head.writeInt16LE(0, 16); // gain
  head[18] = family;
  if (family === FAMILY_RTP) return head;
  // Streams, those of them that are pairs, and the stream of each channel.
  return Buffer.concat([head, Buffer.from([channels, 0, ...order])]);
}

/** @returns null when it is not the head of a recording as opusHead makes it: a stream of one channel for each channel */
export function parseOpusHead(packet: Buffer): OpusHead | null {
  if (packet.length < HEAD_BYTES || packet.toString('latin1', 0, 8) !== 'OpusHead') return null;
  // Versions that differ in the lower half can be read (section 5.1).
  if (packet[8]! >> 4 !== 0) return null;
  const channels = packet[9]!;
  const preSkip = packet.readUInt16LE(10);
  if (packet[18] === FAMILY_RTP) return channels === 1 ? { channels, preSkip } : null;
  const table = packet.subarray(HEAD_BYTES + 2);
  const apart =
    channels > 0 &&
    packet[HEAD_BYTES] === channels &&
    packet[HEAD_BYTES + 1] === 0 &&
    table.length >= channels &&
    new Set(table.subarray(0, channels)).size === channels &&
    table.subarray(0, channels).every((stream) => stream < channels);
  return apart ? { channels, preSkip } : null;
}

/** @param comments NAME=value, in UTF-8 */
export function opusTags(vendor: string, comments: readonly string[]): Buffer {
  const count = Buffer.alloc(4);
  count.writeUInt32LE(comments.length);
  return Buffer.concat([Buffer.from('OpusTags', 'latin1'), counted(vendor), count, ...comments.map(counted)]);
}

function counted(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8');
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length);
  return Buffer.concat([length, bytes]);
}
