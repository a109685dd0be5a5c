import type { EventView, LiveMessage, SegmentView } from '@earshot/contracts';
import { openLive } from '../live-socket.ts';

/** A word as it was told to a client. Wall-clock milliseconds of the epoch where it says `At`. */
export interface ToldWord {
  readonly text: string;
  /** From call zero. */
  readonly startMs: number;
  readonly endMs: number;
  /** When it was shown for the first time, as it stayed, in its place in the segment. */
  readonly shownAtMs: number;
  readonly finalAtMs: number;
}

interface Shown {
  readonly text: string;
  readonly atMs: number;
}

/** A client of /v1/live that notes when each word came. */
export class LiveWords {
  /** Words of segments that are not final, by segment. */
  readonly #open = new Map<string, readonly Shown[]>();
  readonly #finals = new Map<string, ToldWord[]>();
  #socket: WebSocket | null = null;

  /** @throws Error when it cannot connect */
  static async connect(url: string, apiKey: string): Promise<LiveWords> {
    const client = new LiveWords();
    client.#socket = await openLive(url, apiKey, (message) =>
      client.#receive(message, performance.timeOrigin + performance.now()),
    );
    return client;
  }

  close(): void {
    this.#socket?.close();
  }

  /** Final words of a channel by their times. */
  wordsOf(callId: string, channel: number): ToldWord[] {
    return (this.#finals.get(`${callId}:${channel}`) ?? []).toSorted((a, b) => a.startMs - b.startMs);
  }

  #receive(message: LiveMessage, nowMs: number): void {
    if (message.type !== 'segment.partial' && message.type !== 'segment.final') return;
    const { callId, data } = message as EventView;
    const segment = data['segment'] as SegmentView;
    const before = this.#open.get(segment.id) ?? [];
    const shown = segment.words.map(({ text }, i) =>
      before[i]?.text === text ? before[i] : { text, atMs: nowMs },
    );
    if (message.type === 'segment.partial') {
      this.#open.set(segment.id, shown);
      return;
    }
    this.#open.delete(segment.id);
    const key = `${callId}:${segment.channel}`;
    const list = this.#finals.get(key) ?? [];
    this.#finals.set(key, list);
    for (const [i, { text, startMs, endMs }] of segment.words.entries()) {
      list.push({ text, startMs, endMs, shownAtMs: shown[i]!.atMs, finalAtMs: nowMs });
    }
  }
}
