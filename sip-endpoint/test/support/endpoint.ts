import { SipEndpoint, type SipEndpointOptions } from '../../src/endpoint.ts';
import type { Log } from '../../src/log.ts';
import { newSrf, type Srf } from './srf.ts';
import { withLimit } from './wait.ts';

const nothing = (): void => undefined;
export const quiet: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };

const loopback = { host: '127.0.0.1', port: 0 };

export function startEndpoint(options: Partial<SipEndpointOptions> = {}): Promise<SipEndpoint> {
  return SipEndpoint.start({
    udp: loopback,
    tcp: loopback,
    wire: loopback,
    secret: 'secret',
    log: quiet,
    ...options,
  });
}

export interface App {
  readonly srf: Srf;
  disconnect(): void;
}

/** An unmodified drachtio-srf, connected and authenticated; `set` registers its handlers first. */
export async function connectApp(endpoint: SipEndpoint, set: (srf: Srf) => void): Promise<App> {
  const srf = newSrf();
  set(srf);
  await withLimit<true>('srf connects', (check) => {
    srf.on('connect', (error: Error | null) => check(error === null ? true : undefined));
    srf.on('error', nothing);
    srf.connect({ host: '127.0.0.1', port: endpoint.wirePort, secret: 'secret' });
    return nothing;
  });
  return { srf, disconnect: () => srf.disconnect() };
}
