import { join } from 'node:path';
import {
  type ErrorCode,
  type FromMedia,
  isEarshotError,
  type Leg,
  type LegId,
  sockets,
  type ToMedia,
} from '@earshot/contracts';
import { type Connection, listen, type Listener, type Log } from '@earshot/platform';
import type { LegKeeper } from './leg-keeper.ts';

type GatewayLink = Connection<ToMedia, FromMedia>;

/** The worker's `control` socket: the gateway's orders in, answers and reports out. */
export class ControlServer {
  readonly #links = new Set<GatewayLink>();
  readonly #legs: LegKeeper;
  readonly #worker: number;
  readonly #log: Log;
  #listener: Listener | null = null;

  constructor(legs: LegKeeper, worker: number, log: Log) {
    this.#legs = legs;
    this.#worker = worker;
    this.#log = log;
  }

  async start(runDir: string): Promise<void> {
    this.#listener = await listen<ToMedia, FromMedia>(join(runDir, sockets.control(this.#worker)), (link) => {
      this.#links.add(link);
      this.#legs.gatewayConnected();
      link.send({ type: 'hello', worker: this.#worker, pid: process.pid });
      return {
        message: (message) => void this.#receive(link, message),
        close: () => this.#links.delete(link),
      };
    });
  }

  /** To every gateway link; there is one, or two while the gateway is replaced. */
  report(message: FromMedia): void {
    for (const link of this.#links) link.send(message);
  }

  async stop(): Promise<void> {
    await this.#listener?.close();
  }

  async #receive(link: GatewayLink, message: ToMedia): Promise<void> {
    try {
      link.send(await this.#answer(link, message));
    } catch (error) {
      const legId = legIdOf(message);
      if (legId !== null) this.#failed(link, message.id, legId, error as Error);
      else this.#log.error({ err: error, type: message.type }, 'order failed');
    }
  }

  #failed(link: GatewayLink, id: number, legId: LegId, error: Error): void {
    const code: ErrorCode = isEarshotError(error) ? error.code : 'INTERNAL';
    this.#log.warn({ err: error, legId, code }, 'order failed');
    link.send({ type: 'leg.failed', id, legId, code, message: error.message });
  }

  async #answer(link: GatewayLink, message: ToMedia): Promise<FromMedia> {
    const { id } = message;
    switch (message.type) {
      case 'leg.open':
        return {
          type: 'leg.opened',
          id,
          legId: message.leg.legId,
          ports: await this.#legs.open(message.leg),
        };
      case 'leg.update':
        await this.#legs.update(message.leg);
        return { type: 'leg.updated', id, legId: message.leg.legId };
      case 'leg.close':
        return {
          type: 'leg.closed',
          id,
          legId: message.legId,
          channels: await this.#legs.close(message.legId),
        };
      case 'leg.sync':
        for (const { legId, error } of await this.#legs.sync(message.legs))
          this.#failed(link, id, legId, error);
        return { type: 'leg.synced', id };
    }
  }
}

function legIdOf(message: ToMedia): LegId | null {
  if (message.type === 'leg.close') return message.legId;
  if (message.type === 'leg.sync') return null;
  return (message.leg as Leg | undefined)?.legId ?? null;
}
