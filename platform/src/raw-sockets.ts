import dgram from 'node:dgram';
import net from 'node:net';
import { getSystemErrorName } from 'node:util';

/**
 * Sockets that host binds and never reads: raw handles, so that neither libuv polls them here nor packets are lost while
 * a child that reads them is replaced. Node has no public way to bind without reading; these two functions are
 * what its own cluster module uses (docs/adr/0003-lent-sockets.md).
 */
export interface RawHandle {
  /** Of a UDP handle on Unix. */
  readonly fd?: number;
  close(): void;
  getsockname?(out: { port?: number }): number;
}

export class BindError extends Error {
  /** EADDRINUSE, EACCES, EADDRNOTAVAIL, … */
  readonly errno: string;
  readonly address: string;
  readonly port: number;
  constructor(errno: string, address: string, port: number) {
    super(`${address}:${port}: ${errno}`);
    this.name = 'BindError';
    this.errno = errno;
    this.address = address;
    this.port = port;
  }
}

type CreateUdp = (
  address: string,
  port: number,
  type: string,
  fd: number | undefined,
  flags: number,
) => RawHandle | number;
type CreateTcp = (
  address: string,
  port: number,
  type: number,
  fd: number | undefined,
  flags: number,
) => RawHandle | number;

const createUdp = (dgram as unknown as { _createSocketHandle: CreateUdp })._createSocketHandle;
const createTcp = (net as unknown as { _createServerHandle: CreateTcp })._createServerHandle;

function checked(made: () => RawHandle | number, address: string, port: number): RawHandle {
  let handle: RawHandle | number;
  try {
    handle = made();
  } catch (error) {
    throw new BindError((error as NodeJS.ErrnoException).code ?? 'UNKNOWN', address, port);
  }
  if (typeof handle === 'number') throw new BindError(getSystemErrorName(handle), address, port);
  return handle;
}

const isV6 = (address: string): boolean => net.isIPv6(address);

/** @throws BindError */
export const bindUdp = (address: string, port: number): RawHandle =>
  checked(() => createUdp(address, port, isV6(address) ? 'udp6' : 'udp4', undefined, 0), address, port);

/** Bound, not listening: the child that borrows it listens. @throws BindError */
export const bindTcp = (address: string, port: number): RawHandle =>
  checked(() => createTcp(address, port, isV6(address) ? 6 : 4, undefined, 0), address, port);

export function portOf(handle: RawHandle): number {
  const name: { port?: number } = {};
  handle.getsockname?.(name);
  return name.port ?? 0;
}
