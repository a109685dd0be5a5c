/**
 * What became of each tick of a channel's timeline, from 0 on without a hole:
 *
 * - `received`: audio of a packet
 * - `concealed`: a packet was lost; up to 200 ms are made up from the sound before
 * - `lost`: packets were lost, longer than that, or came and could not be used; nothing is made up
 * - `dtx`: the sender's timestamps, comfort noise or keys say that it sent no audio (RFC 3551 section 4.1)
 * - `absent`: no packet came, for a reason that is not known
 * - `held`: the signalling had put the stream on hold, or taken it away
 * - `paused`: recording and recognition were paused; nothing was kept
 * - `corrected`: put in because the sender's clock is slower than ours
 */
export const SPAN_KINDS = [
  'received',
  'concealed',
  'lost',
  'dtx',
  'absent',
  'held',
  'paused',
  'corrected',
] as const;
export type SpanKind = (typeof SPAN_KINDS)[number];

/** Something that happened at a tick and took no time on the timeline. */
export type NoteKind =
  /** Another SSRC from here on; value: the new one. */
  | 'ssrc'
  /** Another process has the channel from here on; value: its process id. */
  | 'worker'
  /** Left out because the sender's clock is faster than ours; value: ticks. */
  | 'dropped'
  /** Put on the timeline by arrival anew; value: 0. */
  | 'rebased'
  /** A key was pressed (RFC 4733); value: its duration in ticks. Which key is not kept. */
  | 'key';

export interface Note {
  readonly tick: number;
  readonly kind: NoteKind;
  readonly value: number;
}

/** Spans and notes from fromTick to toTick; they hold for that stretch instead of whatever was said of it before. */
export interface LedgerPart {
  readonly fromTick: number;
  readonly toTick: number;
  /** One after the other: kind and length in ticks. Their sum is toTick - fromTick. */
  readonly spans: readonly (readonly [SpanKind, number])[];
  readonly notes: readonly Note[];
}
