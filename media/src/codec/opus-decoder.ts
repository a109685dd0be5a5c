import { type NativeOpus, newNativeOpus } from './opus-native.ts';
import { opusPacketSamples } from './opus-packet.ts';
import { type Decoder, MALFORMED, TOO_LONG } from './spec.ts';

/** opus_decoder_ctl's request to forget the stream (opus_defines.h). Requests that write to a pointer must never be sent. */
const OPUS_RESET_STATE = 4028;
/** More than any RTP payload. */
const MAX_PACKET_BYTES = 2048;
/**
 * First bytes of packets whose one frame is empty: for libopus, as in DTX, a frame to be made up (RFC 6716, section 3.2.1).
 * It goes by the mode of the last real frame whatever this byte says, and by its duration: 20, 10, 5, 2.5 ms of CELT.
 */
const EMPTY_FRAMES = [
  { toc: 31 << 3, ms: 20 },
  { toc: 30 << 3, ms: 10 },
  { toc: 29 << 3, ms: 5 },
  { toc: 28 << 3, ms: 2.5 },
] as const;
const STEREO = 4;

/**
 * Native decoders of closed streams, forgotten their past: the garbage collector does not know what they weigh (20 KB outside
 * its heap), so they are used again. There are as many as were ever open at once.
 */
const idle: Record<8000 | 16000, NativeOpus[]> = { 8000: [], 16000: [] };

/**
 * Opus (RFC 7587) by libopus, which decodes at 8 or 16 kHz by itself and mixes stereo down when one channel is asked for. The
 * addon has no way to ask for in-band FEC (it decodes with decode_fec = 0), so a lost packet is concealed by libopus' own
 * PLC. It returns a new Buffer for each packet; that allocation cannot be avoided from here.
 */
export class OpusDecoder implements Decoder {
  readonly rate: 8000 | 16000;
  readonly clockRate = 48000;
  #native: NativeOpus | null;
  /** The addon takes whole Buffers only: a packet is copied here, and a view of its length, made once, is handed over. */
  readonly #packet = Buffer.alloc(MAX_PACKET_BYTES);
  readonly #views: (Buffer | undefined)[] = [];
  #stereo = 0;

  constructor(rate: 8000 | 16000) {
    this.rate = rate;
    this.#native = idle[rate].pop() ?? newNativeOpus(rate, 1);
  }

  decode(bytes: Uint8Array, start: number, end: number, out: Int16Array): number {
    const bytesLong = end - start;
    const at48 = bytesLong > MAX_PACKET_BYTES ? -1 : opusPacketSamples(bytes, start, end);
    if (at48 < 0) return MALFORMED;
    if ((at48 * this.rate) / this.clockRate > out.length) return TOO_LONG;
    for (let i = 0; i < bytesLong; i++) this.#packet[i] = bytes[start + i]!;
    this.#stereo = bytes[start]! & STEREO;
    return this.#decode(bytesLong, out, 0, out.length);
  }

  reset(): void {
    this.#native?.applyDecoderCTL(OPUS_RESET_STATE, 0);
    this.#stereo = 0;
  }

  /** Before the first packet this is silence. Durations are made of 20, 10, 5 and 2.5 ms; an odd rest is cut off. */
  conceal(out: Int16Array, samples: number): boolean {
    const perMs = this.rate / 1000;
    let done = 0;
    while (done < samples) {
      const left = samples - done;
      let frame = 0;
      while (frame < EMPTY_FRAMES.length - 1 && EMPTY_FRAMES[frame]!.ms * perMs > left) frame++;
      this.#packet[0] = EMPTY_FRAMES[frame]!.toc | this.#stereo;
      const made = this.#decode(1, out, done, left);
      if (made <= 0) {
        out.fill(0, done, samples);
        return true;
      }
      done += made;
    }
    return true;
  }

  close(): void {
    if (this.#native === null) return;
    this.reset();
    idle[this.rate].push(this.#native);
    this.#native = null;
  }

  /** The packet in #packet[0..length) to out from `at` on, at most `room` samples. */
  #decode(length: number, out: Int16Array, at: number, room: number): number {
    if (this.#native === null) return MALFORMED;
    const packet = (this.#views[length] ??= this.#packet.subarray(0, length));
    let pcm: Buffer;
    try {
      pcm = this.#native.decode(packet);
    } catch {
      return MALFORMED; // The frame's own content: libopus says OPUS_INVALID_PACKET, and keeps its state.
    }
    const samples = Math.min(pcm.length >> 1, room);
    for (let i = 0; i < samples; i++) out[at + i] = pcm[2 * i]! | (pcm[2 * i + 1]! << 8);
    return samples;
  }
}
