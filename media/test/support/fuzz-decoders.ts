import { ComfortNoise } from '../../src/codec/comfort-noise.ts';
import { type Decoder, newDecoder } from '../../src/codec/decoder.ts';
import { hasOpus, newNativeOpus } from '../../src/codec/opus-native.ts';
import { MALFORMED, TOO_LONG } from '../../src/codec/spec.ts';
import { TelephoneEvents } from '../../src/codec/telephone-event.ts';
import { WaveformConcealment } from '../../src/codec/waveform-concealment.ts';
import { bytesOf, randomOf } from './audio.ts';

export interface FuzzResult {
  readonly packets: number;
  readonly decoded: number;
  readonly malformed: number;
  readonly tooLong: number;
  /** Samples written. */
  readonly samples: number;
  /** Keys reported by the assembler of telephone events. */
  readonly keys: number;
}

/** Longer than any datagram's payload that a worker takes. */
const MAX_BYTES = 1500;
const ROOM = 1920;
/** In all of the room before a packet: it must still be there behind what the decoder says it wrote. */
const UNTOUCHED = 0x5a5a;

const SPECS = [
  { name: 'PCMU', clockRate: 8000, channels: 1, rate: 8000 },
  { name: 'PCMA', clockRate: 8000, channels: 1, rate: 8000 },
  { name: 'G722', clockRate: 8000, channels: 1, rate: 8000 },
  { name: 'G722', clockRate: 8000, channels: 1, rate: 16000 },
  { name: 'L16', clockRate: 8000, channels: 1, rate: 8000 },
  { name: 'L16', clockRate: 11025, channels: 1, rate: 8000 },
  { name: 'L16', clockRate: 44100, channels: 2, rate: 16000 },
  { name: 'L16', clockRate: 48000, channels: 1, rate: 8000 },
  // Opus has the most to go wrong.
  ...(hasOpus
    ? ([8000, 16000, 8000, 16000] as const).map((rate) => ({
        name: 'opus',
        clockRate: 48000,
        channels: 2,
        rate,
      }))
    : []),
] as const;

const decoderOf = ({ rate, ...spec }: (typeof SPECS)[number]): Decoder =>
  newDecoder({ ...spec, fmtp: '' }, rate);

/** Real packets to mutate: noise and tones in frames of all durations, mono and stereo. */
function opusPackets(random: () => number): Uint8Array[] {
  if (!hasOpus) return [];
  return [1, 2].flatMap((channels) =>
    [2.5, 5, 10, 20, 40, 60].flatMap((ms) => {
      const encoder = newNativeOpus(16_000, channels);
      return [8000, 24_000, 96_000].map((bitrate) => {
        encoder.setBitrate(bitrate);
        const pcm = Int16Array.from(
          { length: 16 * ms * channels },
          (_, i) => 6000 * Math.sin(i / 9) + 2000 * (random() - 0.5),
        );
        return encoder.encode(bytesOf(pcm));
      });
    }),
  );
}

/**
 * Feeds `count` random, mutated, cut and real payloads to all decoders, and the parsers of telephone events and comfort noise,
 * with losses and resets in between. The same seed makes the same packets.
 * @throws Error when a decoder throws, or writes or says what it must not
 */
export function fuzzDecoders(seed: number, count: number): FuzzResult {
  const random = randomOf(seed);
  const below = (limit: number): number => Math.floor(limit * random());
  const real = opusPackets(random);
  const decoders: Decoder[] = SPECS.map(decoderOf);
  const concealments = decoders.map(() => new WaveformConcealment());
  const noise = new ComfortNoise();
  let keys = 0;
  const events = new TelephoneEvents(8000, {
    telephoneEvent: (event, start, duration) => {
      if (event > 255 || start > 0xffffffff || !(duration >= 0)) throw new Error('an event out of its range');
      keys++;
    },
  });
  const outs = [new Int16Array(ROOM), new Int16Array(320)];
  const payload = new Uint8Array(MAX_BYTES + 16);
  const tally = { decoded: 0, malformed: 0, tooLong: 0, samples: 0 };

  /** Fills payload[16..end) and says where it ends. */
  const fill = (): number => {
    const kind = random();
    const base = real.length > 0 && kind < 0.5 ? real[below(real.length)]! : null;
    const length = base?.length ?? (kind < 0.9 ? below(200) : below(MAX_BYTES));
    if (base === null) for (let i = 0; i < length; i++) payload[16 + i] = below(256);
    else payload.set(base, 16);
    if (base !== null && kind < 0.4) {
      for (let n = below(4); n > 0; n--) payload[16 + below(length)] = below(256);
      return 16 + (random() < 0.3 ? below(length + 1) : length);
    }
    return 16 + length;
  };

  for (let packet = 0; packet < count; packet++) {
    const which = below(decoders.length);
    const decoder = decoders[which]!;
    const end = fill();
    const out = outs[random() < 0.9 ? 0 : 1]!;
    out.fill(UNTOUCHED);
    const n = decoder.decode(payload, 16, end, out);
    if (n > out.length || (n < 0 && n !== MALFORMED && n !== TOO_LONG) || !Number.isInteger(n)) {
      throw new Error(`${SPECS[which]!.name} said ${n} for ${out.length} samples`);
    }
    const behind = Math.max(0, n);
    if (behind < out.length && out[behind] !== UNTOUCHED) {
      throw new Error(`${SPECS[which]!.name} wrote behind the ${n} samples it said`);
    }
    if (n >= 0) {
      tally.decoded++;
      tally.samples += n;
      concealments[which]!.heard(out, n);
    } else if (n === MALFORMED) tally.malformed++;
    else tally.tooLong++;

    const then = random();
    if (then < 0.02) {
      const samples = 1 + below(out.length);
      if (!decoder.conceal(out, samples)) concealments[which]!.conceal(out, samples);
    } else if (then < 0.021) {
      decoder.reset();
      concealments[which]!.reset();
    } else if (then < 0.0215) {
      decoder.close();
      decoders[which] = decoderOf(SPECS[which]!);
    } else if (then < 0.1) {
      events.packet(below(2 ** 32), payload, 16, Math.min(end, 16 + below(20)));
      if (noise.parse(payload, 16, end)) noise.generate(out, out.length);
    }
  }
  for (const decoder of decoders) decoder.close();
  return { packets: count, keys, ...tally };
}
