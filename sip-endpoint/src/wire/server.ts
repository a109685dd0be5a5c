import { createServer, type Server, type Socket } from 'node:net';
import { listen, type Binding } from '../transport/handles.ts';
import { AppConnection, type AppLink, type ConnectionSettings, type SipCommand } from './connection.ts';

export interface WireUser {
  sip(link: AppLink, command: SipCommand): void;
  routed(link: AppLink): void;
  closed(link: AppLink): void;
}

/** The applications, as the endpoint sees them. */
export interface WireSide {
  readonly port: number;
  /** Authenticated applications. */
  readonly size: number;
  /** The next application in turn that routes this method. */
  pick(method: string): AppLink | undefined;
  close(): Promise<void>;
}

const isLoopback = (address: string): boolean =>
  address.startsWith('127.') || address === '::1' || address.startsWith('::ffff:127.');

/** Listens for applications, on loopback only, and shares requests among them. */
export class WireServer implements WireSide {
  readonly #server: Server;
  readonly #links = new Set<AppConnection>();
  readonly #sockets = new Set<Socket>();
  readonly #turn = new Map<string, number>();
  readonly #settings: ConnectionSettings;

  /** Throws when the address is not a loopback one, or cannot be bound. */
  static async open(binding: Binding, settings: ConnectionSettings, user: WireUser): Promise<WireServer> {
    if ('host' in binding && binding.host !== 'localhost' && !isLoopback(binding.host))
      throw new Error('the application port of the SIP endpoint listens on loopback only');
    const server = new WireServer(settings, user);
    await listen(server.#server, binding);
    return server;
  }

  private constructor(settings: ConnectionSettings, user: WireUser) {
    this.#settings = settings;
    this.#server = createServer((socket) => {
      // A lent handle may be bound elsewhere; the check is repeated for each connection.
      if (!isLoopback(socket.remoteAddress ?? '')) return socket.destroy();
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      new AppConnection(socket, this.#settings, {
        authenticated: (link) => this.#links.add(link),
        routed: (link) => user.routed(link),
        sip: (link, command) => user.sip(link, command),
        closed: (link) => {
          this.#links.delete(link);
          user.closed(link);
        },
      });
    });
    this.#server.on('error', (error) => settings.log.warn({ err: error }, 'application listener error'));
  }

  get port(): number {
    const address = this.#server.address();
    return address !== null && typeof address === 'object' ? address.port : 0;
  }

  /** Authenticated applications. */
  get size(): number {
    return this.#links.size;
  }

  /** The next application in turn that routes this method. */
  pick(method: string): AppLink | undefined {
    const able = [...this.#links].filter((link) => link.open && link.routes(method));
    if (able.length === 0) return undefined;
    const turn = (this.#turn.get(method) ?? 0) % able.length;
    this.#turn.set(method, turn + 1);
    return able[turn];
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}
