/**
 * A block of the spool: at most 500 ms of one channel's audio, and the header that a replacement media worker starts
 * from (ARCHITECTURE.md, On disk). Files: DATA_DIR/spool/<callId>/<channel index>-<file number>.spool, one file
 * per 10 minutes of ticks (file number = floor(startTick / TICKS_PER_FILE)), blocks in tick order, never
 * overlapping. Ticks that no block covers are gaps.
 *
 * Little-endian, 64 bytes, then the payload (one byte a tick for G.711, two for L16):
 *
 *  0 u32 magic 'ESB1'         4 u8 encoding (0 PCMU, 1 PCMA, 2 L16)  5 u8 flags    6 u16 channel index
 *  8 u64 startTick           16 u32 payload ticks             20 u32 payload bytes
 * 24 u32 ssrc                28 u32 extended sequence of the last packet in it (or before it)
 * 32 u32 RTP timestamp at the end of the block               36 u32 SRTP roll-over counter
 * 40 u32 packets received    44 u32 packets lost             48 u32 packets late
 * 52 u32 vad: bit i is raw speech activity in the i-th 20 ms of the block
 * 56 u16 times that packets were lost in a row (65,535: that or more)   58 u16 highest jitter, 0.1 ms (the same)
 * 60 u32 crc32c of bytes 0..59 and the payload
 */
import { crc32c } from './crc32c.ts';
import { ENCODINGS, type Encoding } from './encoding.ts';

export const BLOCK_HEADER_BYTES = 64;
export const BLOCK_TICKS = 4000;
export const VAD_FRAME_TICKS = 160;
export const TICKS_PER_FILE = 600 * 8000;
const MAGIC = 0x31425345;
/** In a call's folder: nothing of it is to be made a recording, since the disk was nearly full when the call began. */
export const NOT_RECORDED_FILE = 'not-recorded';

export interface SpoolBlock {
  readonly encoding: Encoding;
  readonly channelIndex: number;
  readonly startTick: number;
  readonly ticks: number;
  readonly ssrc: number;
  readonly extendedSequence: number;
  readonly rtpTimestampAtEnd: number;
  readonly srtpRollover: number;
  readonly packetsReceived: number;
  readonly packetsLost: number;
  readonly packetsLate: number;
  /** Times that packets were lost in a row, 0..65535. Left out: 0, as in blocks of versions before it was kept; so the next. */
  readonly lossBursts?: number;
  /** Highest interarrival jitter, 0..6553.5. */
  readonly maxJitterMs?: number;
  readonly vad: number;
  readonly payload: Uint8Array;
}

export const spoolFileName = (channelIndex: number, startTick: number): string =>
  `${channelIndex}-${String(Math.floor(startTick / TICKS_PER_FILE)).padStart(6, '0')}.spool`;

export function encodeBlock(block: SpoolBlock): Buffer {
  const out = Buffer.allocUnsafe(BLOCK_HEADER_BYTES + block.payload.length);
  out.writeUInt32LE(MAGIC, 0);
  out.writeUInt8(ENCODINGS.indexOf(block.encoding), 4);
  out.writeUInt8(0, 5);
  out.writeUInt16LE(block.channelIndex, 6);
  out.writeBigUInt64LE(BigInt(block.startTick), 8);
  out.writeUInt32LE(block.ticks, 16);
  out.writeUInt32LE(block.payload.length, 20);
  out.writeUInt32LE(block.ssrc >>> 0, 24);
  out.writeUInt32LE(block.extendedSequence >>> 0, 28);
  out.writeUInt32LE(block.rtpTimestampAtEnd >>> 0, 32);
  out.writeUInt32LE(block.srtpRollover >>> 0, 36);
  out.writeUInt32LE(block.packetsReceived >>> 0, 40);
  out.writeUInt32LE(block.packetsLost >>> 0, 44);
  out.writeUInt32LE(block.packetsLate >>> 0, 48);
  out.writeUInt32LE(block.vad >>> 0, 52);
  out.writeUInt16LE(Math.min(0xffff, block.lossBursts ?? 0), 56);
  out.writeUInt16LE(Math.min(0xffff, Math.round((block.maxJitterMs ?? 0) * 10)), 58);
  out.set(block.payload, BLOCK_HEADER_BYTES);
  out.writeUInt32LE(crc32c(block.payload, crc32c(out.subarray(0, 60))), 60);
  return out;
}

export type BlockRead =
  | { readonly kind: 'block'; readonly block: SpoolBlock; readonly nextOffset: number }
  /** The bytes end inside a block: the tail of a file whose writer died. */
  | { readonly kind: 'truncated' }
  /** Not a block, or its checksum is wrong. */
  | { readonly kind: 'damaged'; readonly offset: number };

/** Reads the block at offset. The payload is a view of bytes, not a copy. */
export function decodeBlock(bytes: Uint8Array, offset: number): BlockRead {
  if (bytes.length - offset < BLOCK_HEADER_BYTES) return { kind: 'truncated' };
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, BLOCK_HEADER_BYTES);
  const encoding = ENCODINGS[view.getUint8(4)];
  const payloadBytes = view.getUint32(20, true);
  const ticks = view.getUint32(16, true);
  if (view.getUint32(0, true) !== MAGIC || encoding === undefined || payloadBytes > 65536) {
    return { kind: 'damaged', offset };
  }
  const end = offset + BLOCK_HEADER_BYTES + payloadBytes;
  if (end > bytes.length) return { kind: 'truncated' };
  const payload = bytes.subarray(offset + BLOCK_HEADER_BYTES, end);
  const sum = crc32c(payload, crc32c(bytes.subarray(offset, offset + 60)));
  if (sum !== view.getUint32(60, true)) return { kind: 'damaged', offset };
  return {
    kind: 'block',
    nextOffset: end,
    block: {
      encoding,
      channelIndex: view.getUint16(6, true),
      startTick: Number(view.getBigUint64(8, true)),
      ticks,
      ssrc: view.getUint32(24, true),
      extendedSequence: view.getUint32(28, true),
      rtpTimestampAtEnd: view.getUint32(32, true),
      srtpRollover: view.getUint32(36, true),
      packetsReceived: view.getUint32(40, true),
      packetsLost: view.getUint32(44, true),
      packetsLate: view.getUint32(48, true),
      lossBursts: view.getUint16(56, true),
      maxJitterMs: view.getUint16(58, true) / 10,
      vad: view.getUint32(52, true),
      payload,
    },
  };
}
