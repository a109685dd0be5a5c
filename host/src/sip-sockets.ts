import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import { EarshotError } from '@earshot/contracts';
import type { Loan } from './lender.ts';
import { BindError, type RawHandle, bindTcp, bindUdp, portOf } from '@earshot/platform';

/**
 * The sockets of the embedded SIP endpoint: SIP over UDP and TCP on one port, and the loopback port on which drachtio-srf
 * connects. Host keeps them, so that a replacement of the endpoint finds what came in meanwhile.
 */
export class SipSockets {
  readonly port: number;
  readonly drachtioPort: number;
  /** Made anew at each start; only the gateway gets it. */
  readonly secret = randomBytes(16).toString('hex');
  readonly #bind: string;
  readonly #udp: RawHandle;
  readonly #tcp: RawHandle;
  readonly #drachtio: RawHandle;

  private constructor(bind: string, udp: RawHandle, tcp: RawHandle, drachtio: RawHandle) {
    this.#bind = bind;
    this.#udp = udp;
    this.#tcp = tcp;
    this.#drachtio = drachtio;
    this.port = portOf(udp);
    this.drachtioPort = portOf(drachtio);
  }

  /** @throws EarshotError PORT_IN_USE */
  static async bind(address: string, port: number): Promise<SipSockets> {
    const bound: RawHandle[] = [];
    try {
      if (port !== 0) await probeTcp(address, port);
      const udp = bindUdp(address, port);
      bound.push(udp);
      const tcp = bindTcp(address, port === 0 ? portOf(udp) : port);
      bound.push(tcp);
      return new SipSockets(address, udp, tcp, bindTcp('127.0.0.1', 0));
    } catch (error) {
      for (const handle of bound) handle.close();
      if (!(error instanceof BindError)) throw error;
      throw new EarshotError('PORT_IN_USE', `SIP cannot listen on ${error.message} (SIP_BIND, SIP_PORT)`, {
        cause: error,
      });
    }
  }

  get address(): string {
    return `${this.#bind}:${this.port}`;
  }

  loans(): readonly Loan[] {
    return [
      {
        message: { type: 'lent', kind: 'sip-udp', port: this.port, channel: null, id: null },
        handle: this.#udp,
      },
      {
        message: { type: 'lent', kind: 'sip-tcp', port: this.port, channel: null, id: null },
        handle: this.#tcp,
      },
      {
        message: { type: 'lent', kind: 'drachtio-tcp', port: this.drachtioPort, channel: null, id: null },
        handle: this.#drachtio,
      },
    ];
  }

  close(): void {
    for (const handle of [this.#udp, this.#tcp, this.#drachtio]) handle.close();
  }
}

/**
 * libuv reports a TCP port in use when the socket listens, and the one kept here never does: ask with one that does.
 * @throws BindError
 */
async function probeTcp(address: string, port: number): Promise<void> {
  const server = net.createServer();
  try {
    server.listen(port, address);
    await once(server, 'listening');
  } catch (error) {
    throw new BindError((error as NodeJS.ErrnoException).code ?? 'UNKNOWN', address, port);
  } finally {
    server.close();
  }
}
