/** Deliveries of one webhook at once. */
const LANES = 8;
/** A delivery waits this long for a lane before it leaves its worker to others. */
const PATIENCE_MS = 1500;

/** The webhook's lanes were taken all the time: its endpoint does not answer. The delivery is tried later. */
export class LaneBusy extends Error {
  constructor() {
    super('other deliveries of this webhook are on their way');
    this.name = 'LaneBusy';
  }
}

interface Lane {
  running: number;
  readonly waiting: Set<() => void>;
}

/**
 * Bounds the deliveries that run at once for each webhook: an endpoint that takes the connection and never answers holds up
 * its own events, not those of others.
 */
export class Lanes {
  readonly #lanes = new Map<string, Lane>();

  /** @throws LaneBusy when no lane of the webhook became free in time */
  async run(webhookId: string, deliver: () => Promise<void>): Promise<void> {
    const lane = this.#lanes.get(webhookId) ?? { running: 0, waiting: new Set() };
    this.#lanes.set(webhookId, lane);
    if (lane.running < LANES) lane.running += 1;
    else await this.#turn(lane);
    try {
      await deliver();
    } finally {
      this.#leave(webhookId, lane);
    }
  }

  /** Resolves when a delivery that ends hands its place over. */
  #turn(lane: Lane): Promise<void> {
    return new Promise((resolve, reject) => {
      const go = (): void => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(() => {
        lane.waiting.delete(go);
        reject(new LaneBusy());
      }, PATIENCE_MS);
      lane.waiting.add(go);
    });
  }

  #leave(webhookId: string, lane: Lane): void {
    const [next] = lane.waiting;
    if (next !== undefined) {
      lane.waiting.delete(next);
      next();
      return;
    }
    lane.running -= 1;
    if (lane.running === 0) this.#lanes.delete(webhookId);
  }
}
