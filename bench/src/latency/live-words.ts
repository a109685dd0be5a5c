import type { EventView, LiveMessage, SegmentView } from '@earshot/contracts';

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
  readonly #socket: WebSocket;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener('message', (event) =>
      this.#receive(
        JSON.parse(String(event.data)) as LiveMessage,
        performance.timeOrigin + performance.now(),
      ),
    );
  }

  static async connect(url: string, apiKey: string): Promise<LiveWords> {
    // Node's WebSocket takes headers as its second argument; the browser type that it has does not say so.
    const options = { headers: { authorization: `Bearer ${apiKey}` } } as unknown as string[];
    const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/v1/live`, options);
    await new Promise((resolve, reject) => {
      socket.addEventListener('open', resolve);
      socket.addEventListener('error', () => reject(new Error('cannot connect to /v1/live')));
    });
    return new LiveWords(socket);
  }

  close(): void {
    this.#socket.close();
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
