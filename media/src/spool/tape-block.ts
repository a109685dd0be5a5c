import {
  BLOCK_TICKS,
  bytesPerTick,
  type Encoding,
  encodeBlock,
  type SpoolBlock,
  VAD_FRAME_TICKS,
} from '@earshot/contracts';
import type { Gate } from '../vad/gate.ts';

/** A stretch of up to 500 ms of audio in memory: what contracts' SpoolBlock is on disk. */
export interface TapeBlock {
  readonly encoding: Encoding;
  startTick: number;
  ticks: number;
  /** Bit i: raw speech in the i-th 20 ms. */
  vad: number;
  /** Room for BLOCK_TICKS; the first `ticks` are filled. */
  readonly payload: Uint8Array;
  /** Arrival of the last packet in it, monotonic microseconds; 0 when read from a file. */
  arrivalUs: number;
  /** Its last packet ends in it, rather than in the next block. */
  complete: boolean;
  // The checkpoint (see RtpMark).
  ssrc: number;
  extended: number;
  timestampAtEnd: number;
}

export const newTapeBlock = (encoding: Encoding): TapeBlock => ({
  encoding,
  startTick: 0,
  ticks: 0,
  vad: 0,
  payload: new Uint8Array(BLOCK_TICKS * bytesPerTick(encoding)),
  arrivalUs: 0,
  complete: true,
  ssrc: 0,
  extended: 0,
  timestampAtEnd: 0,
});

export const endOf = (block: TapeBlock): number => block.startTick + block.ticks;
export const framesOf = (block: TapeBlock): number => Math.ceil(block.ticks / VAD_FRAME_TICKS);

/** Opens the gate for a block's raw speech bits. Blocks come in order. */
export function addSpeech(gate: Gate, block: TapeBlock): void {
  for (let i = 0; i < framesOf(block); i++) {
    if (((block.vad >>> i) & 1) === 0) continue;
    const start = block.startTick + i * VAD_FRAME_TICKS;
    gate.speech(start, Math.min(start + VAD_FRAME_TICKS, endOf(block)));
  }
}

/** A block of a file as a block of the tape. */
export function tapeBlockOf(block: SpoolBlock): TapeBlock {
  const { encoding, startTick, ticks, vad } = block;
  const bytes = ticks * bytesPerTick(encoding);
  const room = BLOCK_TICKS * bytesPerTick(encoding);
  // A whole one is copied without being cleared first: a replacement makes thousands.
  const audio = block.payload.subarray(0, bytes);
  const payload = bytes === room ? new Uint8Array(audio) : new Uint8Array(room);
  if (bytes < room) payload.set(audio);
  return {
    encoding,
    startTick,
    ticks,
    vad,
    payload,
    arrivalUs: 0,
    complete: true,
    ssrc: 0,
    extended: 0,
    timestampAtEnd: 0,
  };
}

/** Counters that travel in a block's header. */
export interface BlockCounters {
  readonly received: number;
  readonly lost: number;
  readonly late: number;
  /** Times that packets were lost in a row, and the highest jitter: for the quality of the whole call. 0 when left out. */
  readonly lossBursts?: number;
  readonly maxJitterMs?: number;
  /** SRTP's roll-over counter of the block's last packet; 0 without SRTP. */
  readonly rollover?: number;
}

export function encodeTapeBlock(block: TapeBlock, channelIndex: number, counters: BlockCounters): Buffer {
  return encodeBlock({
    encoding: block.encoding,
    channelIndex,
    startTick: block.startTick,
    ticks: block.ticks,
    ssrc: block.ssrc,
    extendedSequence: block.extended,
    rtpTimestampAtEnd: block.timestampAtEnd,
    srtpRollover: counters.rollover ?? 0,
    packetsReceived: counters.received,
    packetsLost: counters.lost,
    packetsLate: counters.late,
    lossBursts: counters.lossBursts ?? 0,
    maxJitterMs: counters.maxJitterMs ?? 0,
    vad: block.vad,
    payload: block.payload.subarray(0, block.ticks * bytesPerTick(block.encoding)),
  });
}
