import { lookup } from 'node:dns/promises';
import net from 'node:net';
import { EarshotError } from '@earshot/contracts';

/** IPv4 that is not a public host: the special-purpose registry of RFC 6890, multicast and the reserved block. */
const FORBIDDEN_V4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16', // link-local; the clouds' metadata services
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
];
/** IPv6 outside global unicast (2000::/3), and in it what carries or stands for something else. */
const FORBIDDEN_V6 = [
  '::/3', // unspecified, loopback, IPv4-compatible, NAT64 (64:ff9b::/96), discard (100::/64)
  '2001::/23', // protocol assignments, Teredo among them
  '2001:db8::/32',
  '2002::/16', // 6to4: an IPv4 address inside
  '3fff::/20',
  '4000::/2',
  '8000::/1', // fc00::/7 private, fe80::/10 link-local, ff00::/8 multicast among them
];

function blockListOf(networks: readonly string[], family: 'ipv4' | 'ipv6'): net.BlockList {
  const list = new net.BlockList();
  for (const network of networks) {
    const [address = '', bits = ''] = network.split('/');
    list.addSubnet(address, Number(bits), family);
  }
  return list;
}
const forbiddenV4 = blockListOf(FORBIDDEN_V4, 'ipv4');
const forbiddenV6 = blockListOf(FORBIDDEN_V6, 'ipv6');
const loopbackV4 = blockListOf(['127.0.0.0/8'], 'ipv4');

/** The IPv4 address of an IPv4-mapped IPv6 address (::ffff:0:0/96, RFC 4291 section 2.5.5.2) in any spelling, or null. */
function mappedV4(address: string): string | null {
  const canonical = new URL(`http://[${address.split('%')[0]}]/`).hostname.slice(1, -1);
  const match = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(canonical);
  if (match === null) return null;
  const [high, low] = [parseInt(match[1]!, 16), parseInt(match[2]!, 16)];
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
}

/** @param address an IP address as the resolver gives it */
export function isAllowedAddress(address: string, allowLoopback: boolean): boolean {
  const plain = net.isIPv6(address) ? (mappedV4(address) ?? address) : address;
  if (net.isIPv4(plain)) return (allowLoopback && loopbackV4.check(plain)) || !forbiddenV4.check(plain);
  if (!net.isIPv6(plain)) return false;
  return (allowLoopback && isLoopbackV6(plain)) || !forbiddenV6.check(plain, 'ipv6');
}

const isLoopbackV6 = (address: string): boolean =>
  new URL(`http://[${address.split('%')[0]}]/`).hostname === '[::1]';

const isLoopback = (address: string): boolean =>
  isAllowedAddress(address, true) && !isAllowedAddress(address, false);

export interface Target {
  readonly url: URL;
  /** The address that was checked: connect to this one, not to what the name says next time. */
  readonly address: string;
  readonly family: 4 | 6;
}

export type Resolve = (hostname: string) => Promise<readonly { address: string; family: number }[]>;

const resolveName: Resolve = (hostname) => lookup(hostname, { all: true, verbatim: true });

/**
 * Where a webhook may be sent: https to a public address; http and https to loopback while allowLoopback.
 * Decimal, octal and hexadecimal IPv4 forms are made plain by the URL parser (WHATWG URL section 3.5) before the check.
 *
 * @throws EarshotError WEBHOOK_URL_FORBIDDEN when it may not. Error of the resolver when the name has no address
 */
export async function targetOf(
  address: string,
  allowLoopback: boolean,
  resolve: Resolve = resolveName,
): Promise<Target> {
  const url = URL.canParse(address) ? new URL(address) : null;
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    throw new EarshotError('WEBHOOK_URL_FORBIDDEN', 'the address is not http or https');
  }
  const hostname = url.hostname.replace(/^\[|\]$/g, '');
  const family = net.isIP(hostname);
  const found = family === 0 ? await resolve(hostname) : [{ address: hostname, family }];
  const allowed = found.find((one) => isAllowedAddress(one.address, allowLoopback));
  if (allowed === undefined || found.some((one) => !isAllowedAddress(one.address, allowLoopback))) {
    throw new EarshotError('WEBHOOK_URL_FORBIDDEN', 'the host has an address that is not public');
  }
  if (url.protocol === 'http:' && !isLoopback(allowed.address)) {
    throw new EarshotError('WEBHOOK_URL_FORBIDDEN', 'a public address needs https');
  }
  return { url, address: allowed.address, family: allowed.family === 6 ? 6 : 4 };
}
