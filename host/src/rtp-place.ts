import { EarshotError } from '@earshot/contracts';
import { BindError, bindUdp, listenError } from '@earshot/platform';

/**
 * Tries where RTP is to arrive before anyone says ready: each call would be refused. One port of the range is enough to tell.
 * @throws EarshotError CONFIG_INVALID for an address or ports that this process cannot have, PORT_IN_USE when all are taken
 */
export function checkRtpPlace(address: string, portMin: number, portMax: number): void {
  for (let port = portMin; port <= portMax; port++) {
    try {
      bindUdp(address, port).close();
      return;
    } catch (error) {
      if (!(error instanceof BindError)) throw error;
      if (error.errno === 'EADDRINUSE') continue;
      const portSetting = 'RTP_PORT_MIN, RTP_PORT_MAX';
      const place = { what: 'RTP', address, port, addressSetting: 'RTP_BIND', portSetting } as const;
      throw listenError(error.errno, place, error) ?? error;
    }
  }
  throw new EarshotError(
    'PORT_IN_USE',
    `RTP: every port from ${portMin} to ${portMax} of ${address} is taken (RTP_PORT_MIN, RTP_PORT_MAX).`,
  );
}
