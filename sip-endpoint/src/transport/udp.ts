import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { lookup } from 'node:dns';
import type { Log } from '../log.ts';
import { parseMessage } from '../parse/parse.ts';
import type { ParseResult } from '../parse/message.ts';
import { bindDatagram, isIPv6Binding, type Binding } from './handles.ts';
import { plainAddress, type Flow } from './flow.ts';

/** An IPv6 socket reaches IPv4 peers by their mapped addresses; Node's own look-up finds it no IPv4 address at all. */
function lookupMapped(
  host: string,
  _options: unknown,
  done: (error: NodeJS.ErrnoException | null, address: string, family: number) => void,
): void {
  lookup(host, (error, address, family) => done(error, family === 4 ? `::ffff:${address}` : address, 6));
}

/** Room for a burst of calls while the process is busy or being replaced; the kernel may grant less. */
const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;

/** One UDP socket carrying SIP: a datagram is a message. */
export class UdpTransport {
  readonly #socket: Socket;
  readonly #log: Log;
  readonly address: string;
  readonly port: number;

  static async open(
    binding: Binding,
    receive: (result: ParseResult, flow: Flow) => void,
    log: Log,
  ): Promise<UdpTransport> {
    const ipv6 = isIPv6Binding(binding);
    const socket = createSocket(ipv6 ? { type: 'udp6', lookup: lookupMapped } : { type: 'udp4' });
    await bindDatagram(socket, binding);
    return new UdpTransport(socket, receive, log);
  }

  private constructor(socket: Socket, receive: (result: ParseResult, flow: Flow) => void, log: Log) {
    this.#socket = socket;
    this.#log = log;
    const local = socket.address();
    this.address = local.address;
    this.port = local.port;
    try {
      socket.setRecvBufferSize(RECEIVE_BUFFER_BYTES);
    } catch (error) {
      log.debug({ err: error }, 'SIP receive buffer could not be enlarged');
    }
    // Such an error concerns one datagram (ICMP unreachable, no buffer space); the socket goes on.
    socket.on('error', (error) => log.warn({ err: error }, 'SIP UDP socket error'));
    socket.on('message', (bytes: Buffer, from: RemoteInfo) => {
      // Keep-alives: CRLFs (RFC 5626 section 3.5.1) and single NULs that some phones send.
      if (bytes.length < 16) return;
      receive(parseMessage(bytes), {
        proto: 'udp',
        remoteAddress: plainAddress(from.address),
        remotePort: from.port,
        localAddress: local.address,
        localPort: local.port,
        connection: undefined,
      });
    });
  }

  /** Sends a datagram; `failed` hears of errors that are known at once (no route, too large, no such host). */
  send(bytes: Buffer, host: string, port: number, failed: (error: Error) => void): void {
    try {
      this.#socket.send(bytes, port, host, (error) => {
        if (error === null) return;
        this.#log.debug({ err: error, proto: 'udp' }, 'SIP send failed');
        failed(error);
      });
    } catch (error) {
      // A socket that is closing throws instead of calling back.
      failed(error instanceof Error ? error : new Error(String(error)));
    }
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.#socket.close(() => resolve()));
  }
}
