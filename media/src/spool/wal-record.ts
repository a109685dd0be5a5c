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

export type WalRecord =
  | {
      readonly kind: 'packet';
      readonly channel: string;
      readonly arrivalUs: number;
      readonly endTick: number;
      readonly address: string;
      readonly port: number;
      /** A view of the file's bytes. */
      readonly datagram: Buffer;
    }
  | { readonly kind: 'clock'; readonly channel: string; readonly nowUs: number; readonly endTick: number };

/** How a file ended: `whole`, or at which byte its first bad record begins. */
export type WalEnd = { readonly kind: 'whole' } | { readonly kind: 'broken'; readonly offset: number };

/** Reads the records of one file in order, until its end or the first that is truncated or damaged. Never throws. */
export function readWal(bytes: Buffer, onRecord: (record: WalRecord) => void): WalEnd {
  const channels = new Map<number, string>();
  let at = 0;
  while (at < bytes.length) {
    const length = bytes.length - at >= PREFIX_BYTES ? bytes.readUInt32LE(at) : 0;
    const end = at + PREFIX_BYTES + length;
    if (length < 5 || length > MAX_BODY_BYTES || end > bytes.length) return { kind: 'broken', offset: at };
    const body = bytes.subarray(at + PREFIX_BYTES, end);
    if (crc32c(body) !== bytes.readUInt32LE(at + 4)) return { kind: 'broken', offset: at };
    const number = body.readUInt32LE(1);
    if (body[0] === KIND_CHANNEL) {
      channels.set(number, body.toString('latin1', 5));
    } else {
      const channel = channels.get(number);
      const record = channel === undefined ? null : readBody(body, channel);
      if (record === null) return { kind: 'broken', offset: at };
      onRecord(record);
    }
    at = end;
  }
  return { kind: 'whole' };
}

function readBody(body: Buffer, channel: string): WalRecord | null {
  if (body[0] === KIND_CLOCK && body.length === CLOCK_BYTES) {
    return { kind: 'clock', channel, nowUs: body.readDoubleLE(5), endTick: body.readDoubleLE(13) };
  }
  if (body[0] !== KIND_PACKET || body.length < PACKET_HEAD_BYTES + body[23]!) return null;
  const datagramAt = PACKET_HEAD_BYTES + body[23]!;
  return {
    kind: 'packet',
    channel,
    arrivalUs: body.readDoubleLE(5),
    endTick: body.readDoubleLE(13),
    address: body.toString('latin1', PACKET_HEAD_BYTES, datagramAt),
    port: body.readUInt16LE(21),
    datagram: body.subarray(datagramAt),
  };
}
