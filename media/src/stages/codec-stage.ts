import type { CodecName, LegCodec } from '@earshot/contracts';
import { transcodeTable } from '../codec/transcode.ts';
import { MAX_PAYLOAD_BYTES, type RtpPacket } from '../rtp/packet.ts';
import type { PacketStage } from './stage.ts';

/**
 * Brings every payload into the channel's own G.711 law, which stays what it was when the channel opened: a stream that
 * changes law in mid-call (both may be in an answer) costs half a quantisation step and keeps the spool uniform.
 */
export class CodecStage implements PacketStage {
  readonly #encoding: CodecName;
  readonly #next: PacketStage;
  readonly #tables: (Uint8Array | null)[] = new Array<Uint8Array | null>(128).fill(null);
  readonly #scratch = new Uint8Array(MAX_PAYLOAD_BYTES);

  constructor(encoding: CodecName, codecs: readonly LegCodec[], next: PacketStage) {
    this.#encoding = encoding;
    this.#next = next;
    this.setCodecs(codecs);
  }

  setCodecs(codecs: readonly LegCodec[]): void {
    this.#tables.fill(null);
    for (const codec of codecs) {
      this.#tables[codec.payloadType & 0x7f] = transcodeTable(codec.name, this.#encoding);
    }
  }

  packet(packet: RtpPacket): void {
    const table = this.#tables[packet.payloadType];
    if (table !== null && table !== undefined) {
      const { bytes, start, end } = packet;
      for (let i = start; i < end; i++) this.#scratch[i - start] = table[bytes[i]!]!;
      packet.bytes = this.#scratch;
      packet.end -= start;
      packet.start = 0;
    }
    this.#next.packet(packet);
  }

  toString(): string {
    return `${this.#encoding} -> ${String(this.#next)}`;
  }
}
