import { type EngineRow, type FromAsr, sockets, type ToAsr } from '@earshot/contracts';
import { type Connection, Dialer } from '@earshot/platform';
import { join } from 'node:path';
import { chooseEngine, type EngineView } from './placement.ts';

/** Supposed of an engine that does not say what it carries. */
const CAPACITY = 200;
/**
 * Headroom is a mean over 5 s, and the table is up to 1.5 s old: what was placed on an engine is in it only by and by. This share
 * of it is counted on with each table, one a second.
 */
const STILL_PLACED = 0.7;

/** Instance numbers are 0 to serving + standby: the one more is where a replacement begins beside the one it replaces. */
export interface EngineCounts {
  /** Engines that are to have channels. */
  readonly serving: number;
  /** Engines beyond them that stand by without channels. */
  readonly standby: number;
}

export interface EngineEvents {
  connected(engine: number): void;
  message(engine: number, message: Exclude<FromAsr, { type: 'hello' }>): void;
  lost(engine: number): void;
}

interface Place {
  readonly dialer: Dialer<FromAsr, ToAsr>;
  hello: Extract<FromAsr, { type: 'hello' }> | null;
  row: EngineRow | null;
  /** Channels of ours. */
  mine: number;
  /** Of ours, placed there less taken away, since the table knew; decays. */
  placed: number;
}

/** The links to all recognition engines, and which one takes the next channel. */
export class Engines {
  readonly #places: readonly Place[];
  readonly #serving: number;

  constructor(runDir: string, counts: EngineCounts, events: EngineEvents) {
    this.#serving = counts.serving;
    this.#places = Array.from({ length: counts.serving + counts.standby + 1 }, (_, engine) => ({
      dialer: new Dialer<FromAsr, ToAsr>(join(runDir, sockets.audio(engine)), {
        open: () => undefined,
        message: (message) => {
          if (message.type !== 'hello') return events.message(engine, message);
          this.#places[engine]!.hello = message;
          events.connected(engine);
        },
        lost: () => {
          const place = this.#places[engine]!;
          place.hello = null;
          place.row = null;
          events.lost(engine);
          place.placed = 0;
        },
      }),
      hello: null,
      row: null,
      mine: 0,
      placed: 0,
    }));
  }

  connection(engine: number): Connection<FromAsr, ToAsr> | null {
    return this.#places[engine]?.dialer.connection ?? null;
  }

  /** Whether the engine forgets at a gap what came before it. */
  clearsAtGap(engine: number): boolean {
    return this.#places[engine]?.hello?.clearsAtGap ?? false;
  }

  /** Host's headroom table. */
  table(rows: readonly EngineRow[]): void {
    for (const [engine, place] of this.#places.entries()) {
      place.row = rows.find((row) => row.engine === engine) ?? null;
      place.placed *= STILL_PLACED;
    }
  }

  /** As they are now. */
  views(): EngineView[] {
    return this.#places.map((place, engine) => {
      const { row, mine, placed, hello } = place;
      const capacity = row?.capacity ?? CAPACITY;
      return {
        engine,
        up: hello !== null && place.dialer.connection !== null,
        room: row === null ? 1 - mine / capacity : row.headroom - placed / capacity,
        channels: Math.max(row?.channels ?? 0, mine),
        capacity,
      };
    });
  }

  /** The engine for the next channel. @param avoid taken only when it is the only one */
  choose(avoid: number | null): number | null {
    return chooseEngine(this.views(), this.#serving, avoid);
  }

  placed(engine: number): void {
    const place = this.#places[engine]!;
    place.placed++;
    place.mine++;
  }

  removed(engine: number): void {
    const place = this.#places[engine]!;
    place.placed--;
    place.mine--;
  }

  close(): void {
    for (const { dialer } of this.#places) dialer.close();
  }
}
