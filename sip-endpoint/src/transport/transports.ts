import type { Log } from '../log.ts';
import type { ParseResult } from '../parse/message.ts';
import { bareHost, stampVia, type Flow, type Proto, type Target, type TransportUser } from './flow.ts';
import type { Binding } from './handles.ts';
import { TcpTransport, type TcpLimits } from './tcp.ts';
import { UdpTransport } from './udp.ts';

export interface TransportOptions {
  readonly udp: Binding | undefined;
  readonly tcp: Binding | undefined;
  readonly tcpLimits?: TcpLimits;
  readonly log: Log;
}

/** The UDP and TCP sockets of the endpoint behind one `send`. */
export class Transports {
  readonly #udp: UdpTransport | undefined;
  readonly #tcp: TcpTransport | undefined;

  static async open(options: TransportOptions, user: TransportUser): Promise<Transports> {
    const receive = (result: ParseResult, flow: Flow): void => {
      if (!result.ok) user.onFault(result.fault, result.answerable, flow);
      else if (result.message.kind === 'request') user.onRequest(stampVia(result.message, flow), flow);
      else user.onResponse(result.message, flow);
    };
    const { udp, tcp, log } = options;
    const udpTransport = udp && (await UdpTransport.open(udp, receive, log));
    try {
      const tcpTransport = tcp && (await TcpTransport.open(tcp, receive, log, options.tcpLimits));
      return new Transports(udpTransport, tcpTransport);
    } catch (error) {
      await udpTransport?.close();
      throw error;
    }
  }

  private constructor(udp: UdpTransport | undefined, tcp: TcpTransport | undefined) {
    this.#udp = udp;
    this.#tcp = tcp;
  }

  /** Bound address and port, or undefined where that transport is off. */
  local(proto: Proto): { readonly address: string; readonly port: number } | undefined {
    const transport = proto === 'udp' ? this.#udp : this.#tcp;
    return transport && { address: transport.address, port: transport.port };
  }

  get connections(): number {
    return this.#tcp?.connections ?? 0;
  }

  /** Sends, or calls `failed` once, never throws. */
  send(bytes: Buffer, target: Target, failed: (error: Error) => void): void {
    if (target.connection?.open === true) return target.connection.send(bytes);
    const transport = target.proto === 'udp' ? this.#udp : this.#tcp;
    if (transport === undefined) return failed(new Error('requested protocol/transport not available'));
    transport.send(bytes, bareHost(target.host), target.port, failed);
  }

  async close(): Promise<void> {
    await Promise.all([this.#udp?.close(), this.#tcp?.close()]);
  }
}
