import type dgram from 'node:dgram';
import { bindUdp, portOf, type RawHandle } from '@earshot/platform';

export interface TestHandle {
  readonly raw: RawHandle;
  readonly fd: number;
  readonly address: string;
  readonly port: number;
  close(): void;
}

/** A bound UDP handle as host lends it, on a free port. */
export function bindHandle(address = '127.0.0.1'): TestHandle {
  const raw = bindUdp(address, 0);
  return { raw, fd: raw.fd!, address, port: portOf(raw), close: () => raw.close() };
}

/** Resolves when the datagram is on its way. */
export const send = (from: dgram.Socket, to: TestHandle, bytes: Uint8Array): Promise<void> =>
  new Promise((resolve, reject) => {
    from.send(bytes, to.port, to.address, (error) => (error === null ? resolve() : reject(error)));
  });
