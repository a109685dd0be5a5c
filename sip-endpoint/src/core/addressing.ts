import { networkInterfaces } from 'node:os';
import type { DialogRecord } from '../dialog/record.ts';
import { formatVia } from '../parse/via.ts';
import { uriHost, type Flow, type Proto, type Target } from '../transport/flow.ts';
import { localAddressFor, type InterfaceAddress } from '../transport/local-address.ts';

interface LocalAddress {
  readonly address: string;
  readonly port: number;
}

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
      const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
      this.#interfaces = all.filter((found) => found.family === 'IPv4');
      this.#interfacesAtMs = nowMs;
    }
    return this.#interfaces;
  }

  #hostPort(proto: Proto, remote: string, known?: string): string {
    const local = this.#local(proto);
    const bound = known ?? local?.address ?? '0.0.0.0';
    const host = this.#advertised ?? localAddressFor(bound, remote, this.#currentInterfaces());
    return `${uriHost(host)}:${local?.port ?? 5060}`;
  }

  /** The address of ours on which a request arrived; on a wildcard, the one that its sender reaches. */
  arrivedOn(flow: Flow): LocalAddress {
    const address = localAddressFor(flow.localAddress, flow.remoteAddress, this.#currentInterfaces());
    return { address, port: flow.localPort };
  }

  /** `host:port` in what we send on this flow. */
  ofFlow(flow: Flow): string {
    return this.#hostPort(flow.proto, flow.remoteAddress, flow.localAddress);
  }

  ofDialog(record: DialogRecord): string {
    return this.#hostPort(record.proto, record.peerAddress, record.localAddress);
  }

  ofTarget(target: Target): string {
    return this.#hostPort(target.proto, target.host);
  }

  contact(proto: Proto, hostPort: string): string {
    return proto === 'tcp' ? `<sip:${hostPort};transport=tcp>` : `<sip:${hostPort}>`;
  }

  /** Via of a request to this target. */
  via(target: Target, branch: string): string {
    const params = new Map([
      ['rport', undefined],
      ['branch', branch],
    ]);
    const host = this.ofTarget(target);
    return formatVia({ transport: target.proto.toUpperCase(), host, port: undefined, params });
  }

  /** The host port lists of the reply to `authenticate`: what we advertise, and where we really listen. */
  greeting(): { readonly advertised: string; readonly bound: string } {
    const advertised: string[] = [];
    const bound: string[] = [];
    for (const proto of ['tcp', 'udp'] as const) {
      const local = this.#local(proto);
      if (local === undefined) continue;
      advertised.push(`${proto}/${uriHost(this.#advertised ?? local.address)}:${local.port}`);
      bound.push(`${proto}/${uriHost(local.address)}:${local.port}`);
    }
    return { advertised: advertised.join(','), bound: bound.join(',') };
  }
}
