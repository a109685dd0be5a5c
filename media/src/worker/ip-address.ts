const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/** An address as dgram writes it. @param bytes four of IPv4, 16 of IPv6 */
export const ipAddress = (bytes: Uint8Array): string => (bytes.length === 4 ? bytes.join('.') : ipv6(bytes));

/**
 * RFC 5952: the first of the longest runs of two or more zero groups as `::`, and IPv4-mapped addresses with their last four
 * bytes in decimal.
 */
function ipv6(bytes: Uint8Array): string {
  if (MAPPED.every((byte, i) => bytes[i] === byte)) return `::ffff:${bytes.subarray(12).join('.')}`;
  const groups = Array.from({ length: 8 }, (_, i) => (bytes[2 * i]! << 8) | bytes[2 * i + 1]!);
  let [best, length] = [0, 1];
  for (let from = 0; from < 8; from++) {
    let to = from;
    while (to < 8 && groups[to] === 0) to++;
    if (to - from > length) [best, length] = [from, to - from];
  }
  const hex = groups.map((group) => group.toString(16));
  if (length < 2) return hex.join(':');
  return `${hex.slice(0, best).join(':')}::${hex.slice(best + length).join(':')}`;
}
