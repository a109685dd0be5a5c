import type { EventView } from '@earshot/contracts';

/** Where a live client's messages go: a WebSocket or an SSE response. */
export interface Outlet {
  event(event: EventView, json: string): void;
  partial(json: string): void;
  /** The client was too slow; it gets nothing after this. */
  behind(seq: number): void;
  /** Bytes that are written but not taken by the network yet. */
  readonly bufferedBytes: number;
  end(): void;
}

/** The newest partial of a segment, as it goes out. */
export interface HeldPartial {
  readonly segmentId: string;
  readonly callId: string;
  readonly json: string;
}

export interface ClientOptions {
  /** Only this call's messages. */
  readonly callId: string | null;
  /** The last seq that the client has. */
  readonly after: number;
  readonly partials: boolean;
}

/** Beyond this, partials wait and the newest of each segment replaces the older. */
export const COALESCE_BYTES = 1024 * 1024;
/** Beyond this the client is told that it is behind, and closed. */
export const BEHIND_BYTES = 8 * 1024 * 1024;

/**
 * What one client has been sent. It begins by replaying the log from `after`; while it does, live events are left to
 * the replay and partials wait. `caughtUp` switches to live in the same turn in which the replay has reached the tail,
 * so there is neither a hole nor a double.
 */
export class LiveClient {
  readonly callId: string | null;
  readonly #outlet: Outlet;
  readonly #partials: boolean;
  readonly #held = new Map<string, HeldPartial>();
  #cursor: number;
  #live = false;
  #closed = false;

  constructor(outlet: Outlet, options: ClientOptions) {
    this.#outlet = outlet;
    this.callId = options.callId;
    this.#partials = options.partials;
    this.#cursor = options.after;
  }

  /** Everything up to it was sent, or is not wanted. */
  get cursor(): number {
    return this.#cursor;
  }

  get closed(): boolean {
    return this.#closed;
  }

  get congested(): boolean {
    return this.#outlet.bufferedBytes > COALESCE_BYTES;
  }

  wants(callId: string): boolean {
    return this.callId === null || this.callId === callId;
  }

  /** An event read for the replay. */
  replay(event: EventView): void {
    this.#send(event, JSON.stringify(event));
  }

  /** The replay has read everything up to seq. */
  replayedTo(seq: number): void {
    this.#cursor = Math.max(this.#cursor, seq);
  }

  /** The client's `after` was not of this log: it gets what is new from here on. */
  rewindTo(seq: number): void {
    this.#cursor = Math.min(this.#cursor, seq);
  }

  /** From now on events come from the tail. Its seq must not be above the cursor at this moment. */
  caughtUp(): void {
    this.#live = true;
    this.flush();
  }

  /** An event from the tail. @returns true when it was written */
  event(event: EventView, json: string): boolean {
    if (!this.#live || this.#closed) return false;
    const fresh = event.seq > this.#cursor && this.wants(event.callId);
    if (fresh) this.#send(event, json);
    this.#cursor = Math.max(this.#cursor, event.seq);
    return fresh;
  }

  /** @returns true when it was written at once, false when it waits or is not wanted */
  partial(partial: HeldPartial): boolean {
    if (!this.#partials || this.#closed || !this.wants(partial.callId)) return false;
    if (!this.#live || this.congested || this.#held.size > 0) {
      this.#held.set(partial.segmentId, partial);
      return false;
    }
    this.#outlet.partial(partial.json);
    return true;
  }

  /** The segment is final or gone: a partial of it that waits is no longer wanted. */
  settle(segmentId: string): void {
    this.#held.delete(segmentId);
  }

  /** Sends what waits, as far as the client takes it. */
  flush(): void {
    if (!this.#live || this.#closed) return;
    for (const [segmentId, partial] of this.#held) {
      if (this.congested) return;
      this.#held.delete(segmentId);
      this.#outlet.partial(partial.json);
    }
  }

  /** The connection is over, from either side. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#held.clear();
    this.#outlet.end();
  }

  #send(event: EventView, json: string): void {
    if (this.#closed || event.seq <= this.#cursor) return;
    if (this.#outlet.bufferedBytes > BEHIND_BYTES) {
      this.#outlet.behind(this.#cursor);
      this.close();
      return;
    }
    this.#outlet.event(event, json);
    this.#cursor = event.seq;
  }
}
