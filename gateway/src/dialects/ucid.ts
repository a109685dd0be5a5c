/**
 * Avaya's universal call id, written as node (5 digits), sequence (5) and seconds (10). In User-to-User data (RFC 7433)
 * it is the element FA 08 and 8 octets, after a protocol discriminator (00 or 04) that some leave out; Oracle also passes
 * on the 8 octets alone.
 * @param inElementOnly where any 8 octets would be mistaken for one, such as in a session's id
 * @returns null where there is none
 */
export function ucidOf(userToUser: string, inElementOnly = false): string | null {
  const octets = /^\s*([0-9a-f]+)\s*(?:;|,|$)/i.exec(userToUser)?.[1]?.toUpperCase() ?? '';
  if (octets.length === 16 && !inElementOnly) return written(octets);
  // Elements of tag, length and value follow each other.
  for (let at = octets.startsWith('FA08') ? 0 : 2; at + 4 <= octets.length;) {
    const length = Number.parseInt(octets.slice(at + 2, at + 4), 16);
    const value = octets.slice(at + 4, at + 4 + length * 2);
    if (octets.slice(at, at + 2) === 'FA' && length === 8 && value.length === 16) return written(value);
    at += 4 + length * 2;
  }
  return null;
}

function written(octets: string): string {
  const part = (from: number, to: number, digits: number): string =>
    String(Number.parseInt(octets.slice(from, to), 16)).padStart(digits, '0');
  return part(0, 4, 5) + part(4, 8, 5) + part(8, 16, 10);
}
