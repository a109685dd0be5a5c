import type { Socket as DatagramSocket } from 'node:dgram';
import type { Server } from 'node:net';

/**
 * A socket that a parent process has bound and lends: the raw `UDP` or `TCP` handle that arrives with an IPC
 * message. Node has no public type for either, so they are opaque here and only this file looks inside.
 */
export type LentHandle = object;

/** An address to bind, or a socket that is bound already. */
export type Binding = { readonly handle: LentHandle } | { readonly host: string; readonly port: number };

/** Whether a socket on this binding is an IPv6 one. */
export function isIPv6Binding(binding: Binding): boolean {
  if ('host' in binding) return binding.host.includes(':');
  type Named = { getsockname(out: { family?: string }): number };
  const name: { family?: string } = {};
  (binding.handle as Named).getsockname(name);
  return name.family === 'IPv6';
}

/** Binds a datagram socket. Node accepts a raw handle in place of a port; its types do not say so. */
export function bindDatagram(socket: DatagramSocket, binding: Binding): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error): void => reject(error);
    socket.once('error', failed);
    socket.once('listening', () => {
      socket.off('error', failed);
      resolve();
    });
    if ('handle' in binding) {
      type BindsHandle = { bind(handle: LentHandle): void };
      (socket as unknown as BindsHandle).bind(binding.handle);
    } else socket.bind({ address: binding.host, port: binding.port });
  });
}

/** Makes a server listen, on an address or on a lent TCP handle. */
export function listen(server: Server, binding: Binding): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error): void => reject(error);
    server.once('error', failed);
    server.once('listening', () => {
      server.off('error', failed);
      resolve();
    });
    if ('handle' in binding) server.listen(binding.handle);
    else server.listen({ host: binding.host, port: binding.port });
  });
}
