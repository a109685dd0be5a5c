import { encodeMulaw } from '../../../sip-tests/src/audio.ts';
import { encodedFrames, type MediaFormat, oggOf } from '../../../sip-tests/src/encoded.ts';
import { decodedTo8k, resampled } from '../../../sip-tests/src/ffmpeg.ts';
import {
  type Impairment,
  lossesOf,
  NETWORK_CONDITIONS,
  type NetworkCondition,
} from '../../../sip-tests/src/impairment.ts';
import type { MediaFrame } from '../../../sip-tests/src/rtp-sender.ts';

const CODECS = ['PCMU', 'opus'] as const;
type Codec = (typeof CODECS)[number];
/** `concealed`: packets are lost on the way. `silenced`: silence was sent in the place of the same ones, and none was lost. */
type Method = 'concealed' | 'silenced';

const CONDITIONS: readonly NetworkCondition[] = [{ name: 'clean', impairment: {} }, ...NETWORK_CONDITIONS];

export interface PlannedCall {
  readonly codec: Codec;
  readonly condition: string;
  readonly method: Method;
  readonly formats: readonly MediaFormat[];
  readonly frames: readonly MediaFrame[];
  readonly impairment?: Impairment;
}

const PCMU: MediaFormat = { codec: 'PCMU', payloadType: 0, rate: 8000, ptimeMs: 20 };
const OPUS: MediaFormat = { codec: 'opus', payloadType: 111, rate: 48_000, ptimeMs: 20 };
const L16: MediaFormat = { codec: 'L16', payloadType: 96, rate: 8000, ptimeMs: 20 };
/** An Opus encoder's look-ahead at 8 kHz (6.5 ms): what packet n carries begins so much before n times 20 ms. */
const LOOK_AHEAD = 52;

/** The calls that one recording (8 kHz) is played in. With one seed all methods and codecs lose the same packets. */
export async function planCalls(pcm: Int16Array, seed: number): Promise<PlannedCall[]> {
  const opusPcm = await resampled(pcm, 8000, 48_000);
  const frames = { PCMU: await encodedFrames(PCMU, pcm), opus: await encodedFrames(OPUS, opusPcm) };
  const decoded = await decodedTo8k(await oggOf(OPUS, opusPcm), ['-f', 'ogg']);
  const calls: PlannedCall[] = [];
  for (const { name, impairment } of CONDITIONS) {
    const seeded: Impairment = { ...impairment, wholePackets: 10, seed };
    for (const codec of CODECS) {
      const common = { codec, condition: name };
      const format = codec === 'PCMU' ? PCMU : OPUS;
      const sent = name === 'clean' ? {} : { impairment: seeded };
      calls.push({ ...common, method: 'concealed', formats: [format], frames: frames[codec], ...sent });
      if (impairment.lossRate === undefined) continue;
      const lost = lossesOf(seeded, frames[codec].length);
      const heard = codec === 'PCMU' ? pcm : decoded;
      const silenced = withSilence(heard, lost, codec === 'opus' ? LOOK_AHEAD : 0);
      // What was decoded of Opus is sent as it is: encoded again it would be another codec's error.
      const [asSent, made] =
        codec === 'PCMU' ? [PCMU, cut(encodeMulaw(silenced))] : [L16, await encodedFrames(L16, silenced)];
      calls.push({ ...common, method: 'silenced', formats: [asSent], frames: made });
    }
  }
  return calls;
}

function withSilence(pcm: Int16Array, lost: readonly boolean[], lookAhead: number): Int16Array {
  const out = pcm.slice();
  for (const [n, gone] of lost.entries()) {
    if (gone) out.fill(0, Math.max(0, 160 * n - lookAhead), Math.max(0, 160 * (n + 1) - lookAhead));
  }
  return out;
}

const cut = (bytes: Uint8Array): MediaFrame[] =>
  Array.from({ length: Math.floor(bytes.length / 160) }, (_, n) => ({
    payloadType: 0,
    payload: bytes.subarray(160 * n, 160 * (n + 1)),
    ms: 20,
    units: 160,
  }));
