import { ALAW_TO_LINEAR, ULAW_TO_LINEAR } from '@earshot/contracts';

export interface Wav {
  readonly sampleRate: number;
  /** Mono: channels are averaged. */
  readonly pcm: Int16Array;
}

const PCM = 1;
const ALAW = 6;
const MULAW = 7;
const EXTENSIBLE = 0xfffe;
/** A streamed file says this, or nothing, for the length of its data. */
const UNKNOWN_LENGTH = 0xffffffff;

/**
 * A RIFF WAVE file: 16-bit PCM, A-law or mu-law, any rate.
 * @throws Error that says what is wrong with it
 */
export function readWav(bytes: Uint8Array): Wav {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const name = (at: number): string => String.fromCharCode(...bytes.subarray(at, at + 4));
  if (bytes.length < 12 || name(0) !== 'RIFF' || name(8) !== 'WAVE') throw new Error('not a RIFF WAVE file');
  let format: { code: number; channels: number; sampleRate: number; bits: number } | null = null;
  for (let at = 12; at + 8 <= bytes.length;) {
    const size = view.getUint32(at + 4, true);
    const from = at + 8;
    if (name(at) === 'fmt ') {
      if (size < 16 || from + size > bytes.length) throw new Error('its fmt chunk is cut off');
      const code = view.getUint16(from, true);
      format = {
        code: code === EXTENSIBLE && size >= 26 ? view.getUint16(from + 24, true) : code,
        channels: view.getUint16(from + 2, true),
        sampleRate: view.getUint32(from + 4, true),
        bits: view.getUint16(from + 14, true),
      };
    } else if (name(at) === 'data') {
      if (format === null) throw new Error('its data comes before its fmt chunk');
      const length = size === UNKNOWN_LENGTH || size === 0 ? bytes.length - from : size;
      const data = bytes.subarray(from, Math.min(bytes.length, from + length));
      return { sampleRate: format.sampleRate, pcm: samplesOf(data, format) };
    }
    at = from + size + (size % 2);
  }
  throw new Error('it has no data chunk');
}

function samplesOf(
  data: Uint8Array,
  { code, channels, bits, sampleRate }: { code: number; channels: number; bits: number; sampleRate: number },
): Int16Array {
  if (channels < 1 || sampleRate < 1) throw new Error('it has no channels or no rate');
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const read =
    code === PCM && bits === 16
      ? (i: number) => view.getInt16(2 * i, true)
      : code === MULAW && bits === 8
        ? (i: number) => ULAW_TO_LINEAR[data[i]!]!
        : code === ALAW && bits === 8
          ? (i: number) => ALAW_TO_LINEAR[data[i]!]!
          : null;
  if (read === null) throw new Error(`format ${code} with ${bits} bits is not read here`);
  const frames = Math.floor(data.length / (bits / 8) / channels);
  return Int16Array.from({ length: frames }, (_, frame) => {
    let sum = 0;
    for (let channel = 0; channel < channels; channel++) sum += read(frame * channels + channel);
    return Math.round(sum / channels);
  });
}
