import { EarshotError } from '@earshot/contracts';

/** Where something listens, and the settings that say so. */
export interface ListenPlace {
  /** `SIP over TLS`, `HTTP`, `RTP`. */
  readonly what: string;
  readonly address: string;
  readonly port: number;
  readonly addressSetting: 'SIP_BIND' | 'RTP_BIND' | 'HTTP_BIND';
  readonly portSetting: string;
}

/**
 * Why a socket could not be bound, in the words of the settings.
 * @param errno of bind(2) or listen(2), as Node names it
 * @returns PORT_IN_USE, or CONFIG_INVALID for what another setting mends; null: it is not about the place
 */
export function listenError(
  errno: string | undefined,
  place: ListenPlace,
  cause: unknown,
): EarshotError | null {
  const { what, address, port, addressSetting, portSetting } = place;
  const at = `${what} cannot listen on ${address.includes(':') ? `[${address}]` : address}:${port}`;
  switch (errno) {
    case 'EADDRINUSE':
      return new EarshotError('PORT_IN_USE', `${at}: the port is taken (${portSetting}).`, { cause });
    case 'EADDRNOTAVAIL':
      return invalid(`${at}: this machine has no address ${address} (${addressSetting}, or BIND).`, cause);
    case 'EAFNOSUPPORT':
    case 'EINVAL':
      return invalid(
        `${at}: this machine cannot use such an address, ${errno} (${addressSetting}, or BIND).`,
        cause,
      );
    case 'EACCES':
    case 'EPERM':
      return invalid(
        `${at}: this user may not (${errno}). Ports below 1024 need the capability CAP_NET_BIND_SERVICE: choose another one (${portSetting}).`,
        cause,
      );
    default:
      return null;
  }
}

const invalid = (message: string, cause: unknown): EarshotError =>
  new EarshotError('CONFIG_INVALID', message, { cause });
