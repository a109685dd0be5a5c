import type { ChannelId } from '@earshot/contracts';
import type { CallDocument } from '../document/call.ts';
import type { ChannelDocument } from '../document/channel.ts';
import type { ChannelRow, LogItem } from '../log/items.ts';

/** At most one row a second for a channel that only moves through silence. */
const INTERVAL_MS = 1000;

interface Dirty {
  readonly call: CallDocument;
  readonly channel: ChannelDocument;
  urgent: boolean;
}

/** Which channels' fences are to be written, and when. The tick goes with the finals before it, in one transaction. */
export class Fences {
  readonly #dirty = new Map<ChannelId, Dirty>();
  readonly #writtenMs = new Map<ChannelId, number>();

  /** The channel's fence moved. @param urgent not to wait for its second: an end, a new attempt */
  mark(call: CallDocument, channel: ChannelDocument, urgent: boolean): void {
    const dirty = this.#dirty.get(channel.channel);
    if (dirty === undefined) this.#dirty.set(channel.channel, { call, channel, urgent });
    else dirty.urgent ||= urgent;
  }

  /** Whether some fence is to be written though no item is queued. */
  anyDue(nowMs: number): boolean {
    for (const { call, channel, urgent } of this.#dirty.values()) {
      if (call.known && (urgent || this.#rested(channel, nowMs))) return true;
    }
    return false;
  }

  /** The rows that go with a batch of items: a tick never passes a final that is still queued. */
  rowsFor(batch: readonly LogItem[], nowMs: number): ChannelRow[] {
    const inBatch = new Map<ChannelId, { count: number; toTick: number }>();
    for (const item of batch) {
      if (item.kind !== 'segment') continue;
      const seen = inBatch.get(item.channel);
      inBatch.set(item.channel, { count: (seen?.count ?? 0) + 1, toTick: item.toTick });
    }
    const rows: ChannelRow[] = [];
    for (const { call, channel, urgent } of this.#dirty.values()) {
      const segments = inBatch.get(channel.channel);
      if (!call.known) continue;
      if (segments === undefined && !urgent && !this.#rested(channel, nowMs)) continue;
      const allInBatch = channel.queued === (segments?.count ?? 0);
      rows.push({
        channel: channel.channel,
        callId: call.callId,
        index: channel.index,
        attempt: channel.attempt,
        committedTick: allInBatch ? channel.acceptedTick : (segments?.toTick ?? channel.committedTick),
        endTick: channel.endTick,
      });
    }
    return rows;
  }

  /** Rows were committed. @param moved is called for each channel whose committed tick rose or whose end is durable now */
  written(rows: readonly ChannelRow[], nowMs: number, moved: (channel: ChannelDocument) => void): void {
    for (const row of rows) {
      this.#writtenMs.set(row.channel, nowMs);
      const dirty = this.#dirty.get(row.channel);
      if (dirty === undefined) continue;
      const { channel } = dirty;
      const rose = row.committedTick > channel.committedTick || row.endTick !== channel.committedEndTick;
      channel.committedEndTick = row.endTick;
      channel.committedTick = Math.max(channel.committedTick, row.committedTick);
      const isCurrent =
        row.attempt === channel.attempt &&
        row.endTick === channel.endTick &&
        row.committedTick >= channel.acceptedTick;
      if (isCurrent) this.#dirty.delete(row.channel);
      else dirty.urgent = row.attempt !== channel.attempt || row.endTick !== channel.endTick;
      if (rose) moved(channel);
    }
  }

  forget(call: CallDocument): void {
    for (const { channel } of call.channels.values()) {
      this.#dirty.delete(channel);
      this.#writtenMs.delete(channel);
    }
  }

  #rested(channel: ChannelDocument, nowMs: number): boolean {
    return nowMs - (this.#writtenMs.get(channel.channel) ?? -Infinity) >= INTERVAL_MS;
  }
}
