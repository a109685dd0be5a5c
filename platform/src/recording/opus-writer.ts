import { TICKS_PER_SECOND } from '@earshot/contracts';
import {
  borrowOpus,
  type NativeOpus,
  OPUS_SET_BITRATE,
  OPUS_SET_COMPLEXITY,
  OPUS_SET_SIGNAL,
  OPUS_SIGNAL_VOICE,
  returnOpus,
} from './native-opus.ts';
import { OggPacker } from './ogg-page.ts';
import { selfDelimited } from './opus-framing.ts';
import { opusHead, opusTags } from './opus-headers.ts';

/** Granule positions count at 48 kHz whatever was encoded (RFC 7845, section 4). */
const GRANULES_PER_SECOND = 48_000;
export const GRANULES_PER_TICK = GRANULES_PER_SECOND / TICKS_PER_SECOND;
/**
 * What the encoder is behind its input: 2.5 ms that it looks ahead, and 4 ms by which libopus delays one of its two codecs to
 * match the other. Measured against libopus' decoder at 48 kHz, a recording is 2 samples (0.04 ms) late with this.
 */
export const PRE_SKIP = 312;
/** 20 ms. */
const FRAME_TICKS = 160;
/** A page a second: where a player can seek to, and what a damaged byte costs. */
const PAGE_GRANULES = GRANULES_PER_SECOND;

/**
 * Of each channel. libopus takes 12 kbit/s for enough for narrowband speech (16.4 dB of signal to noise on G.711 speech, at 16 kbit/s
 * 18.7, at 20 kbit/s 19.9); a recording is also recognised again, so it gets somewhat more. Two channels are then 24 to 32 kbit/s.
 */
const BITS_PER_SECOND = 16_000;
/**
 * 6 s of a core for an hour of a channel and 22.5 dB on clean speech, where 10 takes 17 s for 23.4 dB and 0 takes 4 s for 21.2 dB.
 */
const COMPLEXITY = 2;
/** After half a second without a sound the encoder says the same for each further frame, and need not be asked. */
const SETTLED_FRAMES = 25;

const NO_PACKET = Buffer.alloc(0);

/** What of a channel is encoded next. */
interface Frame {
  readonly samples: Int16Array;
  /** The same memory. */
  readonly bytes: Buffer;
  /** How many frames up to this one had no sound at all. */
  soundless: number;
  /** The last one's. */
  packet: Buffer;
}

export interface OpusWriterOptions {
  /** 1 to MOST_OPUS_CHANNELS. */
  readonly channels: number;
  /** Of the Ogg stream, 32 bits. The same samples with the same serial give the same bytes. */
  readonly serial: number;
  /** NAME=value. */
  readonly comments: readonly string[];
}

/**
 * Ogg Opus (RFC 7845) of a call: 8 kHz, each channel a stream of its own in 20 ms packets.
 *
 * Streams are not coupled to pairs, as two channels of music would be: who speaks would leak into the other's channel, and be
 * recognised there; and two who take turns gain nothing by it. Nor is discontinuous transmission used. It would save 45 % of
 * what turns leave silent, but what a decoder puts there is made up, and a stretch that was paused would not be silent.
 */
export class OpusWriter {
  readonly #channels: number;
  readonly #encoders: NativeOpus[];
  readonly #frames: readonly Frame[];
  readonly #pages: OggPacker;
  /** Samples of each channel in #frames. */
  #filled = 0;
  #ticks = 0;
  #packets = 0;

  /** @throws Error where there is no encoder: see canOpus */
  constructor({ channels, serial, comments }: OpusWriterOptions) {
    this.#channels = channels;
    this.#frames = Array.from({ length: channels }, () => {
      const samples = new Int16Array(FRAME_TICKS);
      return { samples, bytes: Buffer.from(samples.buffer), soundless: 0, packet: NO_PACKET };
    });
    this.#encoders = Array.from({ length: channels }, newEncoder);
    this.#pages = new OggPacker(serial, PAGE_GRANULES);
    for (const packet of [
      opusHead({ channels, preSkip: PRE_SKIP }, TICKS_PER_SECOND),
      opusTags('libopus 1.3.1', comments),
    ]) {
      this.#pages.add(packet, 0);
      this.#pages.endPage();
    }
  }

  /** @param samples of all channels in turn, whole ticks @returns pages that are whole */
  write(samples: Int16Array): Buffer[] {
    const channels = this.#channels;
    const ticks = samples.length / channels;
    for (let tick = 0; tick < ticks;) {
      const room = Math.min(FRAME_TICKS - this.#filled, ticks - tick);
      for (const [channel, frame] of this.#frames.entries()) {
        let at = tick * channels + channel;
        for (let i = 0; i < room; i++, at += channels) frame.samples[this.#filled + i] = samples[at]!;
      }
      tick += room;
      this.#filled += room;
      if (this.#filled === FRAME_TICKS) this.#encode();
    }
    this.#ticks += ticks;
    return this.#pages.take();
  }

  /** @returns the last pages, of which the very last says where its packet is cut off (RFC 7845, section 4.4) */
  finish(): Buffer[] {
    const end = PRE_SKIP + this.#ticks * GRANULES_PER_TICK;
    while (this.#packets * FRAME_TICKS * GRANULES_PER_TICK < end) {
      for (const { samples } of this.#frames) samples.fill(0, this.#filled);
      this.#encode();
    }
    this.#pages.finish(end);
    return this.#pages.take();
  }

  /** Gives the encoders back; at the end, or where the writer is left. */
  close(): void {
    for (const encoder of this.#encoders.splice(0)) returnOpus(encoder, TICKS_PER_SECOND, 'encoder');
  }

  #encode(): void {
    const last = this.#channels - 1;
    const packets = this.#frames.map((frame, channel) => {
      frame.soundless = frame.samples.every((sample) => sample === 0) ? frame.soundless + 1 : 0;
      if (frame.soundless <= SETTLED_FRAMES) {
        const packet = this.#encoders[channel]!.encode(frame.bytes);
        frame.packet = channel === last ? packet : selfDelimited(packet);
      }
      return frame.packet;
    });
    this.#filled = 0;
    this.#packets++;
    const shared = packets.length === 1 ? packets[0]! : Buffer.concat(packets);
    this.#pages.add(shared, this.#packets * FRAME_TICKS * GRANULES_PER_TICK);
  }
}

function newEncoder(): NativeOpus {
  const encoder = borrowOpus(TICKS_PER_SECOND);
  encoder.applyEncoderCTL(OPUS_SET_SIGNAL, OPUS_SIGNAL_VOICE);
  encoder.applyEncoderCTL(OPUS_SET_BITRATE, BITS_PER_SECOND);
  encoder.applyEncoderCTL(OPUS_SET_COMPLEXITY, COMPLEXITY);
  return encoder;
}
