import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import net, { isIPv6 } from 'node:net';
import type { LentKind } from '@earshot/contracts';
import type { Loan } from './lender.ts';
import { BindError, type RawHandle, bindTcp, bindUdp, listenError, portOf } from '@earshot/platform';

/**
 * The sockets of the embedded SIP endpoint: SIP over UDP and TCP on one port, over TLS on another where it is on, and the
 * loopback port on which drachtio-srf connects. Host keeps them, so that a replacement of the endpoint finds what came in
 * meanwhile.
 */
export class SipSockets {
  /** Made anew at each start; only the gateway gets it. */
  readonly secret = randomBytes(16).toString('hex');
  readonly #bind: string;
  readonly #handles: ReadonlyMap<LentKind, RawHandle>;

  private constructor(bind: string, handles: ReadonlyMap<LentKind, RawHandle>) {
    this.#bind = bind;
    this.#handles = handles;
  }

  /**
   * @param tlsPort null: no TLS; 0: a free one.
   * @throws EarshotError PORT_IN_USE, or CONFIG_INVALID for an address or port that this process cannot have
   */
  static async bind(address: string, port: number, tlsPort: number | null): Promise<SipSockets> {
    const handles = new Map<LentKind, RawHandle>();
    try {
      await named('SIP', 'SIP_PORT', async () => {
        if (port !== 0) await probeTcp(address, port);
        const udp = bindUdp(address, port);
        handles.set('sip-udp', udp);
        handles.set('sip-tcp', bindTcp(address, port === 0 ? portOf(udp) : port));
      });
      if (tlsPort !== null) {
        await named('SIP over TLS', 'SIPS_PORT', async () => {
          if (tlsPort !== 0) await probeTcp(address, tlsPort);
          handles.set('sip-tls', bindTcp(address, tlsPort));
        });
      }
      handles.set('drachtio-tcp', bindTcp('127.0.0.1', 0));
      return new SipSockets(address, handles);
    } catch (error) {
      for (const handle of handles.values()) handle.close();
      throw error;
    }
  }

  #portOf(kind: LentKind): number {
    const handle = this.#handles.get(kind);
    return handle === undefined ? 0 : portOf(handle);
  }

  get port(): number {
    return this.#portOf('sip-udp');
  }

  /** Null: no TLS. */
  get tlsPort(): number | null {
    return this.#handles.has('sip-tls') ? this.#portOf('sip-tls') : null;
  }

  get drachtioPort(): number {
    return this.#portOf('drachtio-tcp');
  }

  /** Where SIP arrives, in words. */
  get address(): string {
    const host = isIPv6(this.#bind) ? `[${this.#bind}]` : this.#bind;
    const tls = this.tlsPort === null ? '' : `, TLS on ${this.tlsPort}`;
    return `${host}:${this.port} (UDP and TCP${tls})`;
  }

  loans(): readonly Loan[] {
    return [...this.#handles].map(([kind, handle]) => ({
      message: { type: 'lent', kind, port: portOf(handle), channel: null, id: null },
      handle,
    }));
  }

  close(): void {
    for (const handle of this.#handles.values()) handle.close();
  }
}

/** Binds; what goes wrong is told by the setting. @throws EarshotError as SipSockets.bind says */
async function named(what: string, portSetting: string, bind: () => Promise<void>): Promise<void> {
  try {
    await bind();
  } catch (error) {
    if (!(error instanceof BindError)) throw error;
    const { errno, address, port } = error;
    const place = { what, address, port, addressSetting: 'SIP_BIND', portSetting } as const;
    throw listenError(errno, place, error) ?? error;
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
