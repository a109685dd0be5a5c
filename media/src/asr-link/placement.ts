/** What is known of an engine where channels are placed. */
export interface EngineView {
  readonly engine: number;
  /** It takes channels. */
  readonly up: boolean;
  /** Free share of its capacity, less what was placed there since it was measured. Negative: more than it has. */
  readonly room: number;
  /** Channels of all workers, as far as they are known. */
  readonly channels: number;
  /** Channels of unbroken speech that it carries. */
  readonly capacity: number;
}

/** An engine with less room is full. */
const LEAST_ROOM = 0.05;

/**
 * Which engine takes a channel. As many engines serve as are configured: those that have most channels, so that all media
 * workers come to the same ones and the others, the warm standbys, stay empty. Of those that serve the one with most room
 * is taken; only when none of them has any, whichever has most.
 * @param serving engines that are to serve @param avoid taken only when it is the only one
 * @returns null when none is there
 */
export function chooseEngine(
  engines: readonly EngineView[],
  serving: number,
  avoid: number | null,
): number | null {
  const up = engines.filter((view) => view.up);
  const others = up.filter(({ engine }) => engine !== avoid);
  const pool = others.length > 0 ? others : up;
  const first = pool.toSorted((a, b) => b.channels - a.channels || a.engine - b.engine).slice(0, serving);
  const best = mostRoom(first);
  return (best !== null && best.room >= LEAST_ROOM ? best : mostRoom(pool))?.engine ?? null;
}

function mostRoom(engines: readonly EngineView[]): EngineView | null {
  let best: EngineView | null = null;
  for (const view of engines) if (best === null || view.room > best.room) best = view;
  return best;
}
