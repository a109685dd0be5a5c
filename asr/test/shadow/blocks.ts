import type { SpoolBlock } from '@earshot/contracts';

/** A block as media writes it; audio is 8-bit codes that rise with the tick, so that a wrong tick shows. */
export function blockAt(startTick: number, ticks: number, vad: number, channelIndex = 0): SpoolBlock {
  const payload = new Uint8Array(ticks);
  for (let i = 0; i < ticks; i++) payload[i] = (startTick + i) & 0xff;
  return {
    encoding: 'PCMU',
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
    payload,
  };
}
