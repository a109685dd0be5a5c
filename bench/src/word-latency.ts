import type { EventView, LiveMessage, SegmentView } from '@earshot/contracts';

/**
 * A client of /v1/live that notes when each word was shown for the first time. The latency of a word is the time from its
 * end, as the recogniser places it on the call's timeline, to the arrival of the first message that has it.
 */
export class WordLatency {
  readonly firstShownMs: number[] = [];
  readonly finalMs: number[] = [];
  readonly #startedAt = new Map<string, number>();
  /** Words shown so far, by segment. */
  readonly #shown = new Map<string, number>();
  readonly #socket: WebSocket;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener('message', (event) =>
      this.#receive(JSON.parse(String(event.data)) as LiveMessage, Date.now()),
    );
  }

  static async connect(url: string, apiKey: string): Promise<WordLatency> {
    // Node's WebSocket takes headers as its second argument; the browser type that it has does not say so.
    const options = { headers: { authorization: `Bearer ${apiKey}` } } as unknown as string[];
    const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/v1/live`, options);
    await new Promise((resolve, reject) => {
      socket.addEventListener('open', resolve);
      socket.addEventListener('error', () => reject(new Error('cannot connect to /v1/live')));
    });
    return new WordLatency(socket);
  }

  close(): void {
    this.#socket.close();
  }

  #receive(message: LiveMessage, nowMs: number): void {
    if (message.type === 'call.started') {
      const { callId, data } = message;
      this.#startedAt.set(callId, Date.parse(String(data['startedAt'])));
    } else if (message.type === 'segment.partial' || message.type === 'segment.final') {
      const { callId, data } = message as EventView;
      this.#words(callId, data['segment'] as SegmentView, message.type === 'segment.final', nowMs);
    }
  }

  #words(callId: string, segment: SegmentView, final: boolean, nowMs: number): void {
    const startedAtMs = this.#startedAt.get(callId);
    if (startedAtMs === undefined) return;
    const shown = this.#shown.get(segment.id) ?? 0;
    for (const word of segment.words.slice(shown)) this.firstShownMs.push(nowMs - startedAtMs - word.endMs);
    if (final) {
      for (const word of segment.words) this.finalMs.push(nowMs - startedAtMs - word.endMs);
      this.#shown.delete(segment.id);
    } else {
      this.#shown.set(segment.id, Math.max(shown, segment.words.length));
    }
  }
}
