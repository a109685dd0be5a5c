import dgram from 'node:dgram';

interface RawHandle {
  readonly fd: number;
  getsockname(out: { address?: string; port?: number }): number;
  close(): void;
}
// What host uses too: Node's own way to a bound UDP handle that nobody reads.
const createHandle = (
  dgram as unknown as {
    _createSocketHandle: (
      address: string,
      port: number,
      type: string,
      fd: undefined,
      flags: number,
    ) => RawHandle;
  }
)._createSocketHandle;

export interface TestHandle {
  readonly raw: RawHandle;
  readonly fd: number;
  readonly address: string;
  readonly port: number;
  close(): void;
}

/** A bound UDP handle as host lends it, on a free port. */
export function bindHandle(address = '127.0.0.1'): TestHandle {
  const raw = createHandle(address, 0, address.includes(':') ? 'udp6' : 'udp4', undefined, 0);
  const name: { port?: number } = {};
  raw.getsockname(name);
  return { raw, fd: raw.fd, address, port: name.port!, close: () => raw.close() };
}
