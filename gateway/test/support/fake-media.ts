import { join } from 'node:path';
import {
  sockets,
  type ChannelPorts,
  type FromMedia,
  type Leg,
  type LegId,
  type ToMedia,
} from '@earshot/contracts';
import { listen, type Connection, type Listener } from '@earshot/platform';

type Of<T extends ToMedia['type']> = Extract<ToMedia, { readonly type: T }>;

/** A media worker's control socket without media: it gives ports, remembers what it was told, and can misbehave. */
export class FakeMedia {
  readonly worker: number;
  readonly messages: ToMedia[] = [];
  readonly legs = new Map<LegId, Leg>();
  /** What to do with a leg.open. */
  onOpen: 'open' | 'fail' | 'ignore' | 'hangup' = 'open';
  /** What to do with a leg.update; `hold` until released. */
  onUpdate: (leg: Leg) => 'update' | 'fail' | 'hold' = () => 'update';
  answersClose = true;
  readonly #held: (() => void)[] = [];
  readonly #path: string;
  #listener: Listener | null = null;
  #connection: Connection<ToMedia, FromMedia> | null = null;
  #nextPort: number;

  private constructor(runDir: string, worker: number) {
    this.worker = worker;
    this.#path = join(runDir, sockets.control(worker));
    this.#nextPort = 21_000 + worker * 2_000;
  }

  static async start(runDir: string, worker: number): Promise<FakeMedia> {
    const fake = new FakeMedia(runDir, worker);
    await fake.listen();
    return fake;
  }

  /** Does the updates that were held, in order, and holds no more. */
  release(): void {
    this.onUpdate = () => 'update';
    for (const update of this.#held.splice(0)) update();
  }

  async listen(): Promise<void> {
    this.#listener = await listen<ToMedia, FromMedia>(this.#path, (connection) => {
      this.#connection = connection;
      connection.send({ type: 'hello', worker: this.worker, pid: process.pid });
      return { message: (message) => this.#receive(message), close: () => this.#closed(connection) };
    });
  }

  /** The connection before may be seen to close after the next one was made. */
  #closed(connection: Connection<ToMedia, FromMedia>): void {
    if (this.#connection === connection) this.#connection = null;
  }

  /** As if the process died: the link breaks and its memory is gone. */
  async die(): Promise<void> {
    this.#connection?.destroy();
    this.#connection = null;
    this.legs.clear();
    await this.#listener?.close();
    this.#listener = null;
  }

  async stop(): Promise<void> {
    if (this.#listener !== null) await this.die();
  }

  of<T extends ToMedia['type']>(type: T): Of<T>[] {
    return this.messages.filter((message): message is Of<T> => message.type === type);
  }

  send(message: FromMedia): void {
    this.#connection?.send(message);
  }

  #receive(message: ToMedia): void {
    this.messages.push(message);
    switch (message.type) {
      case 'leg.open':
        if (this.onOpen === 'ignore') return;
        if (this.onOpen === 'hangup') {
          this.#connection?.destroy();
          return;
        }
        if (this.onOpen === 'fail') {
          this.send({
            type: 'leg.failed',
            id: message.id,
            legId: message.leg.legId,
            code: 'RTP_PORTS_EXHAUSTED',
            message: 'no port is left',
          });
          return;
        }
        this.legs.set(message.leg.legId, message.leg);
        this.send({
          type: 'leg.opened',
          id: message.id,
          legId: message.leg.legId,
          ports: message.leg.channels.map(({ channel }): ChannelPorts => {
            this.#nextPort += 2;
            return { channel, rtpPort: this.#nextPort, rtcpPort: this.#nextPort + 1 };
          }),
        });
        break;
      case 'leg.update': {
        const { id, leg } = message;
        const { legId } = leg;
        const update = (): void => {
          this.legs.set(legId, leg);
          this.send({ type: 'leg.updated', id, legId });
        };
        const what = this.onUpdate(leg);
        if (what === 'update') update();
        else if (what === 'hold') this.#held.push(update);
        else this.send({ type: 'leg.failed', id, legId, code: 'INTERNAL', message: 'of the test' });
        break;
      }
      case 'leg.close': {
        if (!this.answersClose) return;
        const leg = this.legs.get(message.legId);
        this.legs.delete(message.legId);
        this.send({
          type: 'leg.closed',
          id: message.id,
          legId: message.legId,
          channels: (leg?.channels ?? []).map(({ channel }) => ({
            channel,
            endTick: 8_000,
            packetsReceived: 50,
            packetsLost: 0,
            packetsLate: 0,
            packetsDuplicate: 0,
            packetsRejected: 0,
          })),
        });
        break;
      }
      case 'leg.sync':
        this.legs.clear();
        for (const leg of message.legs) this.legs.set(leg.legId, leg);
        this.send({ type: 'leg.synced', id: message.id });
        break;
    }
  }
}
