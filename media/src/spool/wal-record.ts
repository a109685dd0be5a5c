import { crc32c } from '@earshot/contracts';

/**
 * A record of the write-ahead log, little-endian: u32 length of the body, u32 crc32c of the body, then the body:
 *
 *   u8 kind 1, channel:  u32 number in this file, channel id (ASCII)
 *   u8 kind 2, packet:   u32 channel number, f64 arrivalUs, f64 endTick, u16 source port, u8 address length,
 *                        address (ASCII), the datagram
 *   u8 kind 3, clock:    u32 channel number, f64 nowUs, f64 endTick
 *
 * endTick is the end of the channel's timeline when the packet arrived, which the clock may have moved: a replay, where no
 * clock runs, moves it on as far.
 */
const PREFIX_BYTES = 8;
const KIND_CHANNEL = 1;
const KIND_PACKET = 2;
const KIND_CLOCK = 3;
const PACKET_HEAD_BYTES = 1 + 4 + 8 + 8 + 2 + 1;
const CLOCK_BYTES = 1 + 4 + 8 + 8;
/** Room that a record may need besides the datagram. */
export const MAX_RECORD_OVERHEAD = PREFIX_BYTES + PACKET_HEAD_BYTES + 255;
const RTP_HEADER_BYTES = 12;
/** A UDP datagram with all that goes around it. */
const MAX_BODY_BYTES = 66_000;

function seal(out: Buffer, at: number, end: number): number {
  out.writeUInt32LE(end - at - PREFIX_BYTES, at);
  out.writeUInt32LE(crc32c(out.subarray(at + PREFIX_BYTES, end)), at + 4);
  return end;
}

/** Each writes a record at `at` and returns where it ends. The caller has made room. */
export function writeChannelRecord(out: Buffer, at: number, number: number, channel: string): number {
  const body = at + PREFIX_BYTES;
  out[body] = KIND_CHANNEL;
  out.writeUInt32LE(number, body + 1);
  return seal(out, at, body + 5 + out.write(channel, body + 5, 'latin1'));
}

export function writePacketRecord(
  out: Buffer,
  at: number,
  number: number,
  arrivalUs: number,
  endTick: number,
  address: string,
  port: number,
  datagram: Uint8Array,
): number {
  const body = at + PREFIX_BYTES;
  out[body] = KIND_PACKET;
  out.writeUInt32LE(number, body + 1);
  out.writeDoubleLE(arrivalUs, body + 5);
  out.writeDoubleLE(endTick, body + 13);
  out.writeUInt16LE(port, body + 21);
  out[body + 23] = address.length;
  const head = body + PACKET_HEAD_BYTES;
  for (let i = 0; i < address.length; i++) out[head + i] = address.charCodeAt(i);
  out.set(datagram, head + address.length);
  return seal(out, at, head + address.length + datagram.length);
}

export function writeClockRecord(
  out: Buffer,
  at: number,
  number: number,
  nowUs: number,
  endTick: number,
): number {
  const body = at + PREFIX_BYTES;
  out[body] = KIND_CLOCK;
  out.writeUInt32LE(number, body + 1);
  out.writeDoubleLE(nowUs, body + 5);
  out.writeDoubleLE(endTick, body + 13);
  return seal(out, at, body + CLOCK_BYTES);
}

/**
 * Goes through the records of one file, without making anything of them: a replacement passes over most. Never throws.
 *
 * `kind`, `number` and the rest are those of the record that next() went to.
 */
export class WalCursor {
  /** 'channel', 'packet' or 'clock'; '' where there is none. */
  kind: '' | 'channel' | 'packet' | 'clock' = '';
  /** Of the channel, in this file. */
  number = 0;
  /** Where the record begins that next() goes to; after the last one, where the good ones end. */
  offset = 0;
  readonly #bytes: Buffer;
  readonly #end: number;
  readonly #trusted: boolean;
  #body = 0;
  #bodyEnd = 0;

  /** @param goodBytes as many were found to be good before: their checksums are not reckoned again */
  constructor(bytes: Buffer, goodBytes?: number) {
    this.#bytes = bytes;
    this.#end = goodBytes ?? bytes.length;
    this.#trusted = goodBytes !== undefined;
  }

  /** @returns false at the end, or at a record that is truncated or damaged: offset says where */
  next(): boolean {
    const bytes = this.#bytes;
    const at = this.offset;
    this.kind = '';
    if (this.#end - at < PREFIX_BYTES) return false;
    const length = bytes.readUInt32LE(at);
    const body = at + PREFIX_BYTES;
    const end = body + length;
    if (length < 5 || length > MAX_BODY_BYTES || end > this.#end) return false;
    if (!this.#trusted && crc32c(bytes.subarray(body, end)) !== bytes.readUInt32LE(at + 4)) return false;
    const kind = kindOf(bytes, body, length);
    if (kind === '') return false;
    this.kind = kind;
    this.number = bytes.readUInt32LE(body + 1);
    this.#body = body;
    this.#bodyEnd = end;
    this.offset = end;
    return true;
  }

  /** Of a channel. */
  get id(): string {
    return this.#bytes.toString('latin1', this.#body + 5, this.#bodyEnd);
  }

  /** Of a packet its arrival, of a clock its time, microseconds. */
  get us(): number {
    return this.#bytes.readDoubleLE(this.#body + 5);
  }

  /** Of a packet or a clock. */
  get endTick(): number {
    return this.#bytes.readDoubleLE(this.#body + 13);
  }

  /** Of a packet. */
  get port(): number {
    return this.#bytes.readUInt16LE(this.#body + 21);
  }
  get address(): string {
    const from = this.#body + PACKET_HEAD_BYTES;
    return this.#bytes.toString('latin1', from, from + this.#bytes[this.#body + 23]!);
  }
  /** A view of the file's bytes. */
  get datagram(): Buffer {
    return this.#bytes.subarray(this.#datagramAt, this.#bodyEnd);
  }

  /** Sequence and SSRC of a packet's RTP header (RFC 3550 section 5.1); -1 where it is too short for one. */
  get sequence(): number {
    const at = this.#datagramAt;
    return this.#bodyEnd - at < RTP_HEADER_BYTES ? -1 : this.#bytes.readUInt16BE(at + 2);
  }
  get ssrc(): number {
    const at = this.#datagramAt;
    return this.#bodyEnd - at < RTP_HEADER_BYTES ? -1 : this.#bytes.readUInt32BE(at + 8);
  }

  get #datagramAt(): number {
    return this.#body + PACKET_HEAD_BYTES + this.#bytes[this.#body + 23]!;
  }
}

function kindOf(bytes: Buffer, body: number, length: number): WalCursor['kind'] {
  const kind = bytes[body];
  if (kind === KIND_CHANNEL) return 'channel';
  if (kind === KIND_CLOCK) return length === CLOCK_BYTES ? 'clock' : '';
  if (kind !== KIND_PACKET || length < PACKET_HEAD_BYTES) return '';
  return length < PACKET_HEAD_BYTES + bytes[body + 23]! ? '' : 'packet';
}
