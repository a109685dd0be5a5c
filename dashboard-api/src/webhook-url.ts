import net from 'node:net';

/**
 * What an address literal or name says about where a webhook would go. Only what can be told without resolving:
 * post-call checks the resolved address again before it connects.
 */
export type HostKind = 'public' | 'loopback' | 'private';

const loopback = new net.BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** IANA's special-purpose registries (RFC 6890 and later entries), and multicast. */
const specialIPv4 = new net.BlockList();
for (const [network, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
] as const) {
  specialIPv4.addSubnet(network, bits, 'ipv4');
}
// A list of its own: in a common one, Node checks an IPv4 address against ::/3 too, as ::ffff:a.b.c.d.
const specialIPv6 = new net.BlockList();
// Only 2000::/3 is handed out as global unicast; of it, these are not destinations on the Internet.
for (const [network, bits] of [
  ['::', 3],
  ['4000::', 2],
  ['8000::', 1],
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
] as const) {
  specialIPv6.addSubnet(network, bits, 'ipv6');
}

export function hostKind(hostname: string): HostKind {
  const name = hostname.toLowerCase().replace(/\.$/, '');
  const literal = name.startsWith('[') ? name.slice(1, -1) : name;
  const family = net.isIP(literal);
  if (family !== 0) {
    const mapped = family === 6 ? mappedIPv4(literal) : null;
    const address = mapped ?? literal;
    const type = mapped !== null || family === 4 ? 'ipv4' : 'ipv6';
    if (loopback.check(address, type)) return 'loopback';
    const special = type === 'ipv4' ? specialIPv4 : specialIPv6;
    return special.check(address, type) ? 'private' : 'public';
  }
  if (name === 'localhost' || name.endsWith('.localhost')) return 'loopback';
  // Names that by their form never leave the local network (RFC 6762, RFC 8375, ICANN's .internal), or are no FQDN.
  const local = !name.includes('.') || /\.(local|internal|home\.arpa)$/.test(name);
  return local ? 'private' : 'public';
}

/** The IPv4 address inside ::ffff:0:0/96, as URL writes it (two hexadecimal groups), or null. */
function mappedIPv4(address: string): string | null {
  const match = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(address);
  if (match === null) return null;
  const high = parseInt(match[1]!, 16);
  const low = parseInt(match[2]!, 16);
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
}

/**
 * Why a webhook may not go to this address, or null when it may.
 * @param loopbackAllowed HTTP itself listens on loopback only, so whoever can register a webhook is on this machine
 */
export function webhookUrlFault(text: string, loopbackAllowed: boolean): string | null {
  if (!URL.canParse(text)) return 'it is not an absolute URL';
  const url = new URL(text);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return 'it is neither https nor http';
  if (url.username !== '' || url.password !== '') return 'it carries a user name or password';
  const kind = hostKind(url.hostname);
  if (kind === 'loopback')
    return loopbackAllowed ? null : 'it is this machine, and HTTP is not bound to loopback';
  if (kind === 'private') return 'it is not a public address';
  return url.protocol === 'https:' ? null : 'it is http to another machine';
}
