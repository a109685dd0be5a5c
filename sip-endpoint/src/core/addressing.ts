import { networkInterfaces } from 'node:os';
import type { DialogRecord } from '../dialog/record.ts';
import type { SipRequest } from '../parse/message.ts';
import { uriScheme } from '../parse/uri.ts';
import { formatVia } from '../parse/via.ts';
import { bareHost, DEFAULT_PORT, uriHost, type Flow, type Proto, type Target } from '../transport/flow.ts';
import { localAddressFor, type InterfaceAddress } from '../transport/local-address.ts';

interface LocalAddress {
  readonly address: string;
  readonly port: number;
}

/** What stands for us in what we send to a peer. */
export interface OurAddress {
  readonly hostPort: string;
  readonly proto: Proto;
  /** The call is to a `sips:` URI: our Contact must be one too (RFC 3261 section 12.1.1, RFC 5630 section 5.1.1). */
  readonly secure: boolean;
}

export const isSecure = (uri: string): boolean => uriScheme(uri) === 'sips';

/** `;transport=` of our URIs; a sips URI means TLS by itself. */
export const transportParam = (proto: Proto, secure: boolean): string =>
  secure || proto === 'udp' ? '' : `;transport=${proto}`;

/** Listing the interfaces is a system call per interface; they seldom change. */
const INTERFACES_KEPT_MS = 10_000;

/** What we say our address is: `advertisedHost` where one is configured, else the one that the peer reaches. */
export class Addressing {
  readonly #advertised: string | undefined;
  readonly #local: (proto: Proto) => LocalAddress | undefined;
  #interfaces: readonly InterfaceAddress[] = [];
  #interfacesAtMs = -Infinity;

  constructor(advertisedHost: string | undefined, local: (proto: Proto) => LocalAddress | undefined) {
    this.#advertised = advertisedHost;
    this.#local = local;
  }

  #currentInterfaces(): readonly InterfaceAddress[] {
    const nowMs = performance.now();
    if (nowMs - this.#interfacesAtMs > INTERFACES_KEPT_MS) {
      this.#interfaces = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
      this.#interfacesAtMs = nowMs;
    }
    return this.#interfaces;
  }

  #hostPort(proto: Proto, remote: string, known?: string): string {
    const local = this.#local(proto);
    const bound = known ?? local?.address ?? '0.0.0.0';
    const host = this.#advertised ?? localAddressFor(bound, remote, this.#currentInterfaces());
    return `${uriHost(host)}:${local?.port ?? DEFAULT_PORT[proto]}`;
  }

  /** The address of ours on which a request arrived; on a wildcard, the one that its sender reaches. */
  arrivedOn(flow: Flow): LocalAddress {
    const address = localAddressFor(flow.localAddress, flow.remoteAddress, this.#currentInterfaces());
    return { address, port: flow.localPort };
  }

  /** Whether this transport is on. */
  has(proto: Proto): boolean {
    return this.#local(proto) !== undefined;
  }

  /** Our address in the answers to a request. */
  ofRequest({ uri }: SipRequest, flow: Flow): OurAddress {
    const hostPort = this.#hostPort(flow.proto, flow.remoteAddress, flow.localAddress);
    return { hostPort, proto: flow.proto, secure: isSecure(uri) };
  }

  ofDialog({ proto, peerAddress, localAddress, secure = false }: DialogRecord): OurAddress {
    return { hostPort: this.#hostPort(proto, peerAddress, localAddress), proto, secure };
  }

  ofTarget({ proto, host }: Target): OurAddress {
    return { hostPort: this.#hostPort(proto, host), proto, secure: false };
  }

  contact({ hostPort, proto, secure }: OurAddress): string {
    return `<${secure ? 'sips' : 'sip'}:${hostPort}${transportParam(proto, secure)}>`;
  }

  /** Via of a request to this target. */
  via(target: Target, branch: string): string {
    const params = new Map([
      ['rport', undefined],
      ['branch', branch],
    ]);
    const host = this.#hostPort(target.proto, bareHost(target.host));
    return formatVia({ transport: target.proto.toUpperCase(), host, port: undefined, params });
  }

  /** The host port lists of the reply to `authenticate`: what we advertise, and where we really listen. */
  greeting(): { readonly advertised: string; readonly bound: string } {
    const advertised: string[] = [];
    const bound: string[] = [];
    for (const proto of ['tcp', 'udp', 'tls'] as const) {
      const local = this.#local(proto);
      if (local === undefined) continue;
      advertised.push(`${proto}/${uriHost(this.#advertised ?? local.address)}:${local.port}`);
      bound.push(`${proto}/${uriHost(local.address)}:${local.port}`);
    }
    return { advertised: advertised.join(','), bound: bound.join(',') };
  }
}
