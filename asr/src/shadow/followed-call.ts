import { readdir } from 'node:fs/promises';
import { bytesPerTick, type CallId, channelIdOf, TICKS_PER_SECOND } from '@earshot/contracts';
import { BlockFeed } from './block-feed.ts';
import type { ShadowRecogniser } from './recogniser.ts';
import { SpoolTail, spoolNameOf } from './spool-tail.ts';

/** Audio of a channel that is kept in memory, at most; what follows waits in its files. */
const MOST_WAITING_TICKS = 120 * TICKS_PER_SECOND;
/** A call whose recognition is further behind is given up. */
const MOST_LAG_SECONDS = 300;

export type CallRecogniser = Pick<ShadowRecogniser, 'open' | 'send' | 'end' | 'close'>;

interface FollowedChannel {
  readonly tail: SpoolTail;
  readonly feed: BlockFeed;
  readonly words: string[];
  creditTick: number;
  decidedTick: number;
  /** Audio left in the files because too much waits already, nearly. */
  unreadTicks: number;
  /** Of the newest block that was read. */
  bytesPerTick: 1 | 2;
  /** Known once the last blocks were read. */
  endTick: number | null;
  endSent: boolean;
  ended: boolean;
}

/** Where a channel's timeline ended, as the call log has it. */
export interface ChannelEnd {
  readonly index: number;
  readonly endTick: number;
}

/** One call that the shadow hears: its channels' files are read as they grow and go through the recogniser. */
export class FollowedCall {
  readonly callId: CallId;
  /** Why it cannot be compared any more; null while it can. */
  failure: string | null = null;
  maxLagSeconds = 0;
  readonly #folder: string;
  readonly #recogniser: CallRecogniser;
  readonly #takeChannel: () => boolean;
  readonly #channels = new Map<number, FollowedChannel>();
  /** Of a complete call, by channel index. */
  #ends: ReadonlyMap<number, number> = new Map();

  /** @param takeChannel asked for each channel that appears: whether there is room for it */
  constructor(callId: CallId, folder: string, recogniser: CallRecogniser, takeChannel: () => boolean) {
    this.callId = callId;
    this.#folder = folder;
    this.#recogniser = recogniser;
    this.#takeChannel = takeChannel;
  }

  get channelCount(): number {
    return this.#channels.size;
  }

  /** All channels are recognised to their ends. */
  get finished(): boolean {
    return [...this.#channels.values()].every(({ ended }) => ended);
  }

  get audioSeconds(): number {
    let ticks = 0;
    for (const { feed } of this.#channels.values()) ticks += feed.cursor;
    return ticks / TICKS_PER_SECOND;
  }

  /** How far into the call it has read. */
  get heardSeconds(): number {
    return Math.max(0, ...[...this.#channels.values()].map(({ feed }) => feed.heardTick)) / TICKS_PER_SECOND;
  }

  /**
   * Seconds of audio in the spool that are not recognised, on the channel that is furthest behind. A hole in the audio (a
   * hold) is no work, and does not count while it waits.
   */
  get lagSeconds(): number {
    let ticks = 0;
    for (const { feed, decidedTick, unreadTicks, ended } of this.#channels.values()) {
      if (!ended) ticks = Math.max(ticks, feed.cursor - decidedTick + feed.waitingTicks + unreadTicks);
    }
    return ticks / TICKS_PER_SECOND;
  }

  /** By channel index. */
  get words(): ReadonlyMap<number, readonly string[]> {
    return new Map([...this.#channels].map(([index, { words }]) => [index, words]));
  }

  /** Reads what was written since, as far as there is room, and hands it on. @throws system errors */
  async read(): Promise<void> {
    for (const name of await this.#names()) {
      const found = spoolNameOf(name);
      if (found === null) continue;
      const channel = this.#channels.get(found.index) ?? this.#open(found.index);
      await channel?.tail.found(name, found.number);
    }
    for (const [index, channel] of this.#channels) {
      await this.#fill(index, channel);
      this.#pump(index, channel);
    }
    this.maxLagSeconds = Math.max(this.maxLagSeconds, this.lagSeconds);
    if (this.lagSeconds > MOST_LAG_SECONDS) this.failure ??= 'slower than the calls';
  }

  /** The call is complete, so all of it is in the files: each read() from now on goes on to their ends. */
  finish(ends: readonly ChannelEnd[]): void {
    this.#ends = new Map(ends.map(({ index, endTick }) => [index, endTick]));
  }

  async close(): Promise<void> {
    for (const [index, channel] of this.#channels) {
      if (!channel.ended) this.#recogniser.close(channelIdOf(this.callId, index));
      await channel.tail.close();
    }
  }

  async #fill(index: number, channel: FollowedChannel): Promise<void> {
    const { feed, tail } = channel;
    if (channel.endTick !== null) return;
    while (feed.waitingTicks < MOST_WAITING_TICKS) {
      const blocks = await tail.read();
      for (const block of blocks) {
        feed.push(block);
        channel.bytesPerTick = bytesPerTick(block.encoding);
      }
      if (blocks.length > 0) continue;
      channel.unreadTicks = 0;
      channel.endTick = this.#ends.get(index) ?? null;
      if (channel.endTick !== null) feed.end(channel.endTick);
      return;
    }
    // What is unread is taken to be encoded as what was read last (the headers hardly count).
    channel.unreadTicks = (await tail.unreadBytes()) / channel.bytesPerTick;
  }

  async #names(): Promise<string[]> {
    try {
      return (await readdir(this.#folder)).sort();
    } catch (error) {
      // The recording is made and the spool removed; what was opened can still be read.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
  }

  #open(index: number): FollowedChannel | null {
    if (this.failure !== null) return null;
    if (!this.#takeChannel()) {
      this.failure = 'more channels than there is room for';
      return null;
    }
    const channel: FollowedChannel = {
      tail: new SpoolTail(this.#folder),
      feed: new BlockFeed(),
      words: [],
      creditTick: 0,
      decidedTick: 0,
      unreadTicks: 0,
      bytesPerTick: 1,
      endTick: null,
      endSent: false,
      ended: false,
    };
    this.#channels.set(index, channel);
    this.#recogniser.open(channelIdOf(this.callId, index), {
      credit: (uptoTick, decidedTick) => {
        channel.creditTick = uptoTick;
        channel.decidedTick = decidedTick;
        // Not within the engine's own step.
        setImmediate(() => this.#pump(index, channel));
      },
      final: (words) => channel.words.push(...words),
      ended: () => (channel.ended = true),
      lost: () => {
        channel.ended = true;
        this.failure = 'the engine gave a channel back';
      },
    });
    return channel;
  }

  #pump(index: number, channel: FollowedChannel): void {
    if (channel.ended) return;
    const id = channelIdOf(this.callId, index);
    for (let step = channel.feed.next(channel.creditTick); step !== null;) {
      this.#recogniser.send(id, step);
      step = channel.feed.next(channel.creditTick);
    }
    if (channel.endTick === null || !channel.feed.done || channel.endSent) return;
    channel.endSent = true;
    this.#recogniser.end(id, channel.endTick);
  }
}
