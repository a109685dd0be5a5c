import { type EngineRow, type FromAsr, sockets, type ToAsr } from '@earshot/contracts';
import { type Connection, Dialer } from '@earshot/platform';
import { join } from 'node:path';

/** What a channel placed since the last table takes from an engine's headroom, so that a burst is spread. */
const SHARE_OF_A_CHANNEL = 0.005;

export interface EngineEvents {
  connected(engine: number): void;
  message(engine: number, message: FromAsr): void;
  lost(engine: number): void;
}

/** The links to all recognition engines, and which one takes the next channel. */
export class Engines {
  readonly #dialers: Dialer<FromAsr, ToAsr>[];
  readonly #headroom = new Map<number, number>();
  readonly #placed: number[];
  readonly #channels: number[];

  /** @param configured engines that serve; one more place is where a replacement begins beside the one it replaces */
  constructor(runDir: string, configured: number, events: EngineEvents) {
    const count = configured + 1;
    this.#placed = new Array<number>(count).fill(0);
    this.#channels = new Array<number>(count).fill(0);
    this.#dialers = Array.from(
      { length: count },
      (_, engine) =>
        new Dialer<FromAsr, ToAsr>(join(runDir, sockets.audio(engine)), {
          open: () => events.connected(engine),
          message: (message) => events.message(engine, message),
          lost: () => {
            this.#headroom.delete(engine);
            events.lost(engine);
          },
        }),
    );
  }

  connection(engine: number): Connection<FromAsr, ToAsr> | null {
    return this.#dialers[engine]?.connection ?? null;
  }

  /** Host's headroom table. */
  table(rows: readonly EngineRow[]): void {
    this.#headroom.clear();
    this.#placed.fill(0);
    for (const row of rows) this.#headroom.set(row.engine, row.headroom);
  }

  /**
   * The connected engine with most headroom; before the first table, the one with least of our channels.
   * @param avoid taken only when it is the only one
   */
  choose(avoid: number | null): number | null {
    let best: number | null = null;
    let bestScore = -Infinity;
    for (let engine = 0; engine < this.#dialers.length; engine++) {
      if (this.#dialers[engine]!.connection === null) continue;
      const headroom = this.#headroom.get(engine);
      const room =
        headroom === undefined
          ? 1 - this.#channels[engine]! * SHARE_OF_A_CHANNEL
          : headroom - this.#placed[engine]! * SHARE_OF_A_CHANNEL;
      const score = engine === avoid ? room - 1000 : room;
      if (score > bestScore) {
        best = engine;
        bestScore = score;
      }
    }
    return best;
  }

  placed(engine: number): void {
    this.#placed[engine]!++;
    this.#channels[engine]!++;
  }

  removed(engine: number): void {
    this.#channels[engine]!--;
  }

  close(): void {
    for (const dialer of this.#dialers) dialer.close();
  }
}
