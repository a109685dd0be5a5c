/** One IPv4 address of this machine, as `os.networkInterfaces()` lists it. */
export interface InterfaceAddress {
  readonly address: string;
  readonly netmask: string;
  readonly internal: boolean;
}

const isWildcard = (address: string): boolean => address === '0.0.0.0' || address === '::' || address === '';

const asNumber = (address: string): number =>
  address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);

/**
 * The address of ours that a peer reaches: the bound one; on a wildcard the interface in the peer's network, else
 * the first that is not loopback. `remote` is an IP address or a host name.
 */
export function localAddressFor(
  bound: string,
  remote: string,
  interfaces: readonly InterfaceAddress[],
): string {
  if (!isWildcard(bound)) return bound;
  if (remote === '::1') return '::1';
  if (remote.startsWith('127.') || remote === 'localhost') return '127.0.0.1';
  const usable = interfaces.filter((found) => !found.internal);
  const near = usable.find((found) => {
    // Plain arithmetic: JavaScript's bit operators are signed 32-bit.
    const size = 2 ** 32 - asNumber(found.netmask);
    return Math.floor(asNumber(found.address) / size) === Math.floor(asNumber(remote) / size);
  });
  return (near ?? usable[0])?.address ?? '127.0.0.1';
}
