import { type Encoding, fromLinear, type LegCodec } from '@earshot/contracts';
import type { Concealment } from '../codec/concealment.ts';
import { canDecode, type Decoder, newDecoder } from '../codec/decoder.ts';
import { TelephoneEvents, type TelephoneEventSink } from '../codec/telephone-event.ts';
import { transcodeTable } from '../codec/transcode.ts';
import type { LossBursts } from '../rtcp/bursts.ts';
import { MAX_FILLED_TICKS } from '../timeline/timeline.ts';
import { MAX_PAYLOAD_BYTES, type RtpPacket } from '../rtp/packet.ts';
import type { ChannelCounters } from './counters.ts';
import type { DecodedStage, PacketStage } from './stage.ts';
import { clockRateOf, COMFORT_NOISE_TYPE, streamRateOf } from './stream-rate.ts';

/** The longest packet that is taken: 256 ms, as much as G.711 can be in one datagram. */
const MAX_SAMPLES = 2048;

/** What a payload type means for the channel. */
type Format =
  | { readonly kind: 'same'; readonly unitsPerTick: 1 }
  | { readonly kind: 'law'; readonly unitsPerTick: 1; readonly table: Uint8Array }
  | { readonly kind: 'decoded'; readonly unitsPerTick: number; readonly codec: LegCodec }
  | { readonly kind: 'event'; readonly unitsPerTick: number; readonly events: TelephoneEvents }
  | { readonly kind: 'noise'; readonly unitsPerTick: number };

/** The encoding in which a channel's audio is kept, when it opens with this codec. */
export const encodingFor = (codec: LegCodec | undefined): Encoding =>
  codec === undefined ? 'PCMU' : codec.name === 'PCMU' || codec.name === 'PCMA' ? codec.name : 'L16';

/**
 * Brings every payload into the channel's own encoding, which stays what it was when the channel opened: a stream that
 * changes codec in mid-call keeps its spool uniform. Wideband codecs are brought down to 8 kHz.
 */
export class CodecStage implements PacketStage {
  readonly #encoding: Encoding;
  readonly #counters: ChannelCounters;
  readonly #bursts: LossBursts;
  readonly #next: DecodedStage;
  readonly #concealment: Concealment;
  readonly #onKey: (durationTicks: number) => void;
  readonly #formats: (Format | null)[] = new Array<Format | null>(128).fill(null);
  readonly #scratch = new Uint8Array(2 * MAX_PAYLOAD_BYTES);
  #pcm: Int16Array | null = null;
  #events: TelephoneEvents[] = [];
  #decoder: Decoder | null = null;
  #decoderType = -1;
  /** Of the last packet that was decoded. */
  #lastTicks = 0;
  /** Packets right before that could not be used, with those that were lost before them: nobody has heard of them yet. */
  #unusable = 0;

  constructor(
    encoding: Encoding,
    codecs: readonly LegCodec[],
    parts: { readonly counters: ChannelCounters; readonly bursts: LossBursts },
    concealment: Concealment,
    onKey: (durationTicks: number) => void,
    next: DecodedStage,
  ) {
    this.#encoding = encoding;
    this.#counters = parts.counters;
    this.#bursts = parts.bursts;
    this.#concealment = concealment;
    this.#onKey = onKey;
    this.#next = next;
    this.setCodecs(codecs);
  }

  setCodecs(codecs: readonly LegCodec[]): void {
    for (const events of this.#events) events.flush();
    this.#events = [];
    this.#formats.fill(null);
    this.#formats[COMFORT_NOISE_TYPE] = { kind: 'noise', unitsPerTick: 1 };
    for (const codec of codecs) this.#formats[codec.payloadType & 0x7f] = this.#formatOf(codec, codecs);
    this.#closeDecoder();
  }

  #formatOf(codec: LegCodec, codecs: readonly LegCodec[]): Format {
    const clockRate = clockRateOf(codec);
    const unitsPerTick = clockRate / 8000;
    const { name } = codec;
    if (name === 'telephone-event') {
      const streamRate = streamRateOf(codec, codecs);
      const events = new TelephoneEvents(clockRate, this.#keys(streamRate / 8000), streamRate);
      this.#events.push(events);
      return { kind: 'event', unitsPerTick: streamRate / 8000, events };
    }
    if (name === 'CN') return { kind: 'noise', unitsPerTick };
    if (name === this.#encoding && name !== 'L16') return { kind: 'same', unitsPerTick: 1 };
    if ((name === 'PCMU' || name === 'PCMA') && this.#encoding !== 'L16') {
      return { kind: 'law', unitsPerTick: 1, table: transcodeTable(name, this.#encoding) };
    }
    return { kind: 'decoded', unitsPerTick, codec };
  }

  packet(packet: RtpPacket): void {
    if (packet.restart) {
      this.#decoder?.reset();
      for (const events of this.#events) events.reset();
      this.#unusable = 0;
    }
    const carried = this.#unusable;
    this.#unusable = 0;
    // Those that were lost before an unusable one have been counted with it.
    this.#bursts.played(packet.lostBefore + (carried > 0 ? 1 : 0));
    packet.lostBefore += carried;
    const format = this.#formats[packet.payloadType] ?? null;
    const usable = format !== null && (packet.end <= packet.start || this.#take(packet, format));
    if (!usable) {
      this.#unusable = packet.lostBefore + 1;
      packet.lostBefore = 0;
      this.#empty(packet);
      this.#next.unusable(packet);
      return;
    }
    if (packet.end > packet.start) for (const events of this.#events) events.until(packet.timestamp);
    this.#next.packet(packet);
  }

  /** @returns whether it can be used; empty then where it means silence */
  #take(packet: RtpPacket, format: Format): boolean {
    packet.unitsPerTick = format.unitsPerTick;
    const { bytes, start, end } = packet;
    switch (format.kind) {
      case 'same':
        return true;
      case 'law':
        for (let i = start; i < end; i++) this.#scratch[i - start] = format.table[bytes[i]!]!;
        this.#replace(packet, end - start);
        return true;
      case 'decoded':
        return this.#decode(packet, format.codec);
      case 'event': {
        if (!format.events.packet(packet.timestamp, bytes, start, end)) this.#counters.rejected.undecodable++;
        this.#empty(packet);
        return true;
      }
      case 'noise':
        this.#counters.comfortNoise++;
        if (!this.#concealment.comfort(bytes, start, end)) this.#counters.rejected.undecodable++;
        this.#empty(packet);
        return true;
    }
  }

  /** Which key it was is not kept. */
  #keys(unitsPerTick: number): TelephoneEventSink {
    return {
      telephoneEvent: (_event, _startTimestamp, duration) => {
        this.#counters.keys++;
        this.#onKey(Math.round(duration / unitsPerTick));
      },
    };
  }

  #decode(packet: RtpPacket, codec: LegCodec): boolean {
    const decoder = this.#decoderFor(packet.payloadType, codec);
    const pcm = (this.#pcm ??= new Int16Array(MAX_SAMPLES));
    if (decoder !== null && packet.lostBefore > 0) this.#concealByCodec(decoder, packet.lostBefore, pcm);
    const samples = decoder === null ? -1 : decoder.decode(packet.bytes, packet.start, packet.end, pcm);
    if (decoder === null || samples < 0) {
      this.#counters.rejected.undecodable++;
      return false;
    }
    fromLinear(this.#encoding, pcm, samples, this.#scratch);
    this.#lastTicks = samples;
    this.#replace(packet, this.#encoding === 'L16' ? 2 * samples : samples);
    return true;
  }

  /** A codec that conceals by itself does so before the next packet is decoded: its state goes on through the loss. */
  #concealByCodec(decoder: Decoder, lost: number, pcm: Int16Array): void {
    const ticks = Math.min(lost * this.#lastTicks, MAX_FILLED_TICKS);
    if (ticks > 0 && decoder.conceal(pcm, ticks)) this.#concealment.prepare(pcm, ticks);
  }

  /** @returns null where this machine has none: Opus is native code that may be missing */
  #decoderFor(payloadType: number, codec: LegCodec): Decoder | null {
    if (this.#decoderType !== payloadType) {
      this.#closeDecoder();
      const spec = {
        name: codec.name,
        clockRate: codec.clockRate ?? 8000,
        channels: codec.audioChannels ?? 1,
        fmtp: '',
      };
      this.#decoder = canDecode(spec) ? newDecoder(spec, 8000) : null;
      this.#decoderType = payloadType;
    }
    return this.#decoder;
  }

  #closeDecoder(): void {
    this.#decoder?.close();
    this.#decoder = null;
    this.#decoderType = -1;
  }

  #replace(packet: RtpPacket, length: number): void {
    packet.bytes = this.#scratch;
    packet.start = 0;
    packet.end = length;
  }

  #empty(packet: RtpPacket): void {
    packet.end = packet.start;
  }

  close(): void {
    this.#closeDecoder();
  }

  toString(): string {
    return `${this.#encoding} -> ${String(this.#next)}`;
  }
}
