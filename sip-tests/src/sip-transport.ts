import dgram from 'node:dgram';
import { once } from 'node:events';
import net from 'node:net';
import { parseSipDatagram, type SipMessage, SipStreamParser } from './sip-message.ts';

export type TransportName = 'udp' | 'tcp';

export interface HostPort {
  host: string;
  port: number;
}

export interface TransportEvents {
  /** `reply` goes back the way the message came. */
  message(message: SipMessage, reply: (bytes: Buffer) => void): void;
  /** A connection that had stood is gone: what was sent last may not have arrived and can be sent again. */
  lost(error: NodeJS.ErrnoException): void;
  /** The other side cannot be reached now, e.g. ECONNREFUSED. */
  unreachable(error: NodeJS.ErrnoException): void;
}

/** The way to one SIP server, shared by all calls of a caller as a session border controller would. */
export interface SipTransport {
  readonly name: TransportName;
  /** Where we are reached: the address in Via and Contact. */
  readonly local: HostPort;
  send(bytes: Buffer): void;
  close(): Promise<void>;
}

/** `[::1]` for an address with colons, as URIs and Via want it. */
export function bracketed(host: string): string {
  return net.isIPv6(host) ? `[${host}]` : host;
}

/** Binds a socket towards the server; resolves when messages can be sent. */
export async function openTransport(
  name: TransportName,
  server: HostPort,
  events: TransportEvents,
): Promise<SipTransport> {
  return name === 'udp' ? openUdp(server, events) : openTcp(server, events);
}

async function openUdp(server: HostPort, events: TransportEvents): Promise<SipTransport> {
  const socket = dgram.createSocket({
    type: net.isIPv6(server.host) ? 'udp6' : 'udp4',
    // 300 answers can come at once.
    recvBufferSize: 1_048_576,
  });
  // Connected: the kernel tells us of "port unreachable" and the datagrams need no name lookup.
  socket.connect(server.port, server.host);
  await once(socket, 'connect');
  const send = (bytes: Buffer) => {
    socket.send(bytes, (error) => {
      if (error) events.unreachable(error);
    });
  };
  socket.on('message', (bytes) => {
    const message = parseSipDatagram(bytes);
    if (message) events.message(message, send);
  });
  socket.on('error', (error) => {
    events.unreachable(error);
  });
  const { address, port } = socket.address();
  return {
    name: 'udp',
    local: { host: address, port },
    send,
    close: async () => {
      socket.close();
      await once(socket, 'close');
    },
  };
}

/** One connection to the server, opened again by the next send when lost, and a listener for its requests. */
async function openTcp(server: HostPort, events: TransportEvents): Promise<SipTransport> {
  const sockets = new Set<net.Socket>();
  let current: net.Socket | undefined;
  let closing = false;

  const adopt = (socket: net.Socket) => {
    const parser = new SipStreamParser();
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('data', (bytes) => {
      try {
        for (const message of parser.push(bytes)) {
          events.message(message, (reply) => {
            if (socket.writable) socket.write(reply);
            else send(reply);
          });
        }
      } catch (error) {
        socket.destroy(error as Error);
      }
    });
    // A connection that we accepted counts as standing; ours does when it is made.
    let stood = socket.readyState === 'open';
    let fault: NodeJS.ErrnoException = Object.assign(new Error('The connection was closed'), {
      code: 'ECONNRESET',
    });
    socket.on('connect', () => {
      stood = true;
    });
    socket.on('error', (error) => {
      fault = error;
    });
    socket.on('close', () => {
      sockets.delete(socket);
      if (socket !== current) return;
      current = undefined;
      if (closing) return;
      if (stood) events.lost(fault);
      else events.unreachable(fault);
    });
  };
  const connect = () => {
    current = net.connect(server.port, server.host);
    adopt(current);
    return current;
  };
  const send = (bytes: Buffer) => {
    const socket = current?.writable === true || current?.connecting === true ? current : connect();
    socket.write(bytes);
  };

  // The address by which the server is reached is known once connected; a refusal is reported through
  // `unreachable` like any later one.
  const first = connect();
  const host = await new Promise<string>((resolve) => {
    first.once('connect', () => {
      resolve(first.localAddress ?? '127.0.0.1');
    });
    first.once('error', () => {
      resolve(net.isIPv6(server.host) ? '::1' : '127.0.0.1');
    });
  });
  const listener = net.createServer(adopt);
  listener.listen(0, host);
  await once(listener, 'listening');
  const { port } = listener.address() as net.AddressInfo;
  return {
    name: 'tcp',
    local: { host, port },
    send,
    close: async () => {
      closing = true;
      listener.close();
      for (const socket of sockets) socket.destroy();
      await once(listener, 'close');
    },
  };
}
