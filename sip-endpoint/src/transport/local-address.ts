import { BlockList, isIPv4, isIPv6 } from 'node:net';

/** One address of this machine, as `os.networkInterfaces()` lists it. */
export interface InterfaceAddress {
  readonly address: string;
  readonly family: 'IPv4' | 'IPv6';
  /** `address/prefix length`. */
  readonly cidr: string | null;
  readonly internal: boolean;
}

const isWildcard = (address: string): boolean => address === '0.0.0.0' || address === '::' || address === '';

/** Such an address means nothing without its interface's name. */
const isLinkLocal = (address: string): boolean => /^fe[89ab]/i.test(address);

function isNear(found: InterfaceAddress, remote: string): boolean {
  const bits = Number(found.cidr?.split('/')[1]);
  if (!Number.isInteger(bits)) return false;
  const network = new BlockList();
  const family = found.family === 'IPv4' ? 'ipv4' : 'ipv6';
  network.addSubnet(found.address, bits, family);
  return network.check(remote, family);
}

/**
 * The address of ours that a peer reaches: the bound one; on a wildcard the interface in the peer's network, else
 * the first of the same family that is not loopback. `remote` is an IP address or a host name.
 */
export function localAddressFor(
  bound: string,
  remote: string,
  interfaces: readonly InterfaceAddress[],
): string {
  if (!isWildcard(bound)) return bound;
  if (remote === '::1') return '::1';
  if (remote.startsWith('127.') || remote === 'localhost') return '127.0.0.1';
  const family = isIPv6(remote) ? 'IPv6' : 'IPv4';
  const usable = interfaces.filter(
    (found) =>
      found.family === family &&
      !found.internal &&
      (family === 'IPv4' || isLinkLocal(remote) || !isLinkLocal(found.address)),
  );
  const near =
    isIPv4(remote) || family === 'IPv6' ? usable.find((found) => isNear(found, remote)) : undefined;
  return (near ?? usable[0])?.address ?? (family === 'IPv6' ? '::1' : '127.0.0.1');
}
