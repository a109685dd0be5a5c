import type { LiveMessage, ToLive } from '@earshot/contracts';
import type { HeldPartial } from './client.ts';

type BusPartial = Extract<ToLive, { type: 'partial' }>;

interface Open extends HeldPartial {
  readonly attempt: number;
  readonly rev: number;
  readonly atMs: number;
}

/** A segment lasts at most 15 s (ARCHITECTURE.md, rule 3): what is this old has lost its final on the way. */
const STALE_MS = 30_000;

/** The newest partial of each open segment, for clients that come in the middle of a sentence. */
export class OpenPartials {
  readonly #open = new Map<string, Open>();

  /** @returns what to send, or null when a newer one of the segment is known (an older attempt, a late message) */
  take(message: BusPartial, nowMs: number): HeldPartial | null {
    const { segment, callId, attempt, rev } = message;
    const known = this.#open.get(segment.id);
    if (known !== undefined && (attempt < known.attempt || (attempt === known.attempt && rev <= known.rev))) {
      return null;
    }
    const view: LiveMessage = {
      type: 'segment.partial',
      callId,
      timestamp: new Date(nowMs).toISOString(),
      data: { attempt, rev, segment },
    };
    const open = { segmentId: segment.id, callId, json: JSON.stringify(view), attempt, rev, atMs: nowMs };
    this.#open.set(segment.id, open);
    return open;
  }

  settle(segmentId: string): void {
    this.#open.delete(segmentId);
  }

  settleCall(callId: string): void {
    for (const [segmentId, open] of this.#open) {
      if (open.callId === callId) this.#open.delete(segmentId);
    }
  }

  /** Drops what is stale. Call it every few seconds. */
  sweep(nowMs: number): void {
    for (const [segmentId, open] of this.#open) {
      if (nowMs - open.atMs > STALE_MS) this.#open.delete(segmentId);
    }
  }

  clear(): void {
    this.#open.clear();
  }

  values(): Iterable<HeldPartial> {
    return this.#open.values();
  }
}
