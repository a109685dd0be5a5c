import type { Log } from '../log.ts';
import type { ParseResult } from '../parse/message.ts';
import {
  bareHost,
  stampVia,
  type Flow,
  type Proto,
  type Target,
  type TransportSet,
  type TransportUser,
} from './flow.ts';
import type { Binding } from './handles.ts';
import { PLAIN, STREAM_LIMITS, StreamTransport, type StreamKind, type StreamLimits } from './stream.ts';
import type { TlsCredentials } from './tls.ts';
import { UdpTransport } from './udp.ts';

export interface TransportOptions {
  readonly udp?: Binding | undefined;
  readonly tcp?: Binding | undefined;
  readonly tls?: { readonly binding: Binding; readonly credentials: TlsCredentials } | undefined;
  readonly limits?: StreamLimits;
  readonly log: Log;
}

/** Hands on what was read. */
export function deliver(result: ParseResult, flow: Flow, user: TransportUser): void {
  if (!result.ok) user.onFault(result.fault, result.answerable, flow);
  else if (result.message.kind === 'request') user.onRequest(stampVia(result.message, flow), flow);
  else user.onResponse(result.message, flow);
}

/** The UDP, TCP and TLS sockets of the endpoint behind one `send`. */
export class Transports implements TransportSet {
  #udp: UdpTransport | undefined;
  readonly #streams = new Map<Proto, StreamTransport>();

  /** Rejects when an address cannot be bound; what was bound before is closed. */
  static async open(options: TransportOptions, user: TransportUser): Promise<Transports> {
    const transports = new Transports();
    try {
      await transports.#open(options, user);
    } catch (error) {
      await transports.close();
      throw error;
    }
    return transports;
  }

  async #open(
    { udp, tcp, tls, log, limits = STREAM_LIMITS }: TransportOptions,
    user: TransportUser,
  ): Promise<void> {
    const receive = (result: ParseResult, flow: Flow): void => {
      if (result.ok && result.message.kind === 'request' && result.message.via.params.has('alias'))
        this.#streams.get(flow.proto)?.alias(flow, result.message.via.port);
      deliver(result, flow, user);
    };
    const inUse = () => user.connectionsInUse();
    const open = async (binding: Binding, kind: StreamKind): Promise<void> => {
      const stream = await StreamTransport.open({ binding, kind, receive, inUse, log, limits });
      this.#streams.set(kind.proto, stream);
    };
    if (udp !== undefined) this.#udp = await UdpTransport.open(udp, receive, log);
    if (tcp !== undefined) await open(tcp, PLAIN);
    if (tls !== undefined) await open(tls.binding, tls.credentials.kind);
  }

  #of(proto: Proto): UdpTransport | StreamTransport | undefined {
    return proto === 'udp' ? this.#udp : this.#streams.get(proto);
  }

  local(proto: Proto): { readonly address: string; readonly port: number } | undefined {
    const transport = this.#of(proto);
    return transport && { address: transport.address, port: transport.port };
  }

  get connections(): number {
    let count = 0;
    for (const stream of this.#streams.values()) count += stream.connections;
    return count;
  }

  send(bytes: Buffer, target: Target, failed: (error: Error) => void): void {
    if (target.connection?.open === true) return target.connection.send(bytes);
    const transport = this.#of(target.proto);
    if (transport === undefined) return failed(new Error('requested protocol/transport not available'));
    transport.send(bytes, bareHost(target.host), target.port, failed);
  }

  async close(): Promise<void> {
    await Promise.all([this.#udp?.close(), ...[...this.#streams.values()].map((stream) => stream.close())]);
  }
}
