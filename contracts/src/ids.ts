/**
 * Identifiers. All are strings on the wire; the brands keep them apart in the types.
 *
 * callId      UUID version 7 (RFC 9562 section 5.7): sorts by the time the call arrived.
 * legId       `${callId}/${n}`: one SIP dialog's media. A call has one leg, or more when a vendor forks
 *             each party in a dialog of its own.
 * channelId   `${callId}:${index}`: one audio stream of a call, index 0..n-1 in m-line order.
 * segmentId   `${channelId}@${fromTick}`: a stretch of words. fromTick is the channel's settled tick when
 *             the segment opened, so that a replay on another engine makes the same id.
 */
export type CallId = string & { readonly __brand: 'CallId' };
export type LegId = string & { readonly __brand: 'LegId' };
export type ChannelId = string & { readonly __brand: 'ChannelId' };
export type SegmentId = string & { readonly __brand: 'SegmentId' };

export const channelIdOf = (callId: CallId, index: number): ChannelId => `${callId}:${index}` as ChannelId;
export const legIdOf = (callId: CallId, n: number): LegId => `${callId}/${n}` as LegId;
export const segmentIdOf = (channel: ChannelId, fromTick: number): SegmentId =>
  `${channel}@${fromTick}` as SegmentId;

export interface ChannelParts {
  readonly callId: CallId;
  readonly index: number;
}

/** @throws RangeError on a string that is not a channel id. */
export function partsOfChannel(channel: ChannelId): ChannelParts {
  const colon = channel.lastIndexOf(':');
  const index = Number(channel.slice(colon + 1));
  if (colon < 1 || !Number.isInteger(index) || index < 0)
    throw new RangeError(`not a channel id: ${channel}`);
  return { callId: channel.slice(0, colon) as CallId, index };
}

/**
 * A new call id. @param nowMs wall clock, ms since 1970 @param random at least 10 random bytes
 */
export function newCallId(nowMs: number, random: Uint8Array): CallId {
  const bytes = new Uint8Array(16);
  new DataView(bytes.buffer).setUint32(0, Math.floor(nowMs / 65536));
  new DataView(bytes.buffer).setUint16(4, nowMs % 65536);
  bytes.set(random.subarray(0, 10), 6);
  bytes[6] = (bytes[6]! & 0x0f) | 0x70;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}` as CallId;
}

export const CALL_ID_PATTERN = '^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$';
