import { encodeAlaw, encodeMulaw } from './audio.ts';
import { ffmpeg } from './ffmpeg.ts';
import { oggPackets } from './ogg.ts';
import type { MediaFrame } from './rtp-sender.ts';
import { encodeWav } from './wav.ts';

/** A codec as it is offered, and as its packets are cut. */
export interface MediaFormat {
  readonly codec: 'PCMU' | 'PCMA' | 'G722' | 'opus' | 'L16';
  readonly payloadType: number;
  /** Of the sound that is encoded: 8000 for G.711, 16000 for G.722, 48000 for Opus; any for L16. */
  readonly rate: number;
  /** Opus: 10, 20, 40 or 60. */
  readonly ptimeMs: number;
  /** Opus, bits a second. */
  readonly bitrate?: number;
}

/** a=rtpmap's value. */
export function rtpmapOf({ codec, payloadType, rate }: MediaFormat): string {
  // RFC 3551 section 4.5.2: G.722's clock is 8000 by mistake and for good. RFC 7587: Opus is 48000/2 whatever is sent.
  const clock = codec === 'G722' ? 8000 : rate;
  return `${payloadType} ${codec}/${clock}${codec === 'opus' ? '/2' : ''}`;
}

/** Encodes with ffmpeg what is not G.711, and cuts it into packets. @param samples at the format's rate, mono */
export async function encodedFrames(format: MediaFormat, samples: Int16Array): Promise<MediaFrame[]> {
  const { codec, ptimeMs, rate, payloadType } = format;
  const frame = (payload: Uint8Array, units: number): MediaFrame => ({
    payloadType,
    payload,
    ms: ptimeMs,
    units,
  });
  if (codec === 'opus') {
    // The first two are OpusHead and OpusTags (RFC 7845).
    return oggPackets(await oggOf(format, samples))
      .slice(2)
      .map((payload) => frame(payload, ptimeMs * 48));
  }
  const bytes = await bytesOf(format, samples);
  const bytesPerMs = codec === 'L16' ? (2 * rate) / 1000 : 8;
  const unitsPerMs = codec === 'L16' ? rate / 1000 : 8;
  const length = ptimeMs * bytesPerMs;
  return Array.from({ length: Math.floor(bytes.length / length) }, (_, n) =>
    frame(bytes.subarray(n * length, (n + 1) * length), ptimeMs * unitsPerMs),
  );
}

/** Opus in an Ogg file: whoever decodes that begins with the samples' first, not with the encoder's look-ahead. */
export function oggOf(
  { rate, ptimeMs, bitrate = 32_000 }: MediaFormat,
  samples: Int16Array,
): Promise<Buffer> {
  const argv = ['-c:a', 'libopus', '-b:a', String(bitrate), '-frame_duration', String(ptimeMs)];
  return ffmpeg(encodeWav({ rate, channels: [samples] }), [...argv, '-application', 'voip', '-f', 'ogg']);
}

async function bytesOf({ codec, rate }: MediaFormat, samples: Int16Array): Promise<Uint8Array> {
  switch (codec) {
    case 'PCMU':
      return encodeMulaw(samples);
    case 'PCMA':
      return encodeAlaw(samples);
    case 'G722':
      return ffmpeg(encodeWav({ rate, channels: [samples] }), ['-c:a', 'g722', '-f', 'g722']);
    default:
      // RFC 3551 section 4.5.11: network byte order.
      return Buffer.from(samples.slice().buffer).swap16();
  }
}
