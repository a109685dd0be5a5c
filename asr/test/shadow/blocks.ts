import { bytesPerTick, type Encoding, type SpoolBlock } from '@earshot/contracts';

/** Whole blocks of which every 20 ms are speech. */
export const ALL_SPEECH = 2 ** 25 - 1;

/** A block as media writes it. @param payload left out: bytes that rise with the tick, so that a wrong tick shows */
export function blockAt(
  startTick: number,
  ticks: number,
  vad: number,
  {
    channelIndex = 0,
    encoding = 'PCMU',
    payload,
  }: { channelIndex?: number; encoding?: Encoding; payload?: Uint8Array } = {},
): SpoolBlock {
  return {
    encoding,
    channelIndex,
    startTick,
    ticks,
    ssrc: 1,
    extendedSequence: 0,
    rtpTimestampAtEnd: 0,
    srtpRollover: 0,
    packetsReceived: 0,
    packetsLost: 0,
    packetsLate: 0,
    vad,
    payload:
      payload ??
      Uint8Array.from({ length: ticks * bytesPerTick(encoding) }, (_, i) => (startTick + i) & 0xff),
  };
}
