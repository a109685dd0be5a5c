import type { EventView, LiveMessage, SegmentView } from '@earshot/contracts';
import { openLive } from './live-socket.ts';

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
  #socket: WebSocket | null = null;

  /** @throws Error when it cannot connect */
  static async connect(url: string, apiKey: string): Promise<WordLatency> {
    const client = new WordLatency();
    client.#socket = await openLive(url, apiKey, (message) => client.#receive(message, Date.now()));
    return client;
  }

  close(): void {
    this.#socket?.close();
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
