const PAGE_HEADER_BYTES = 27;

/**
 * The packets in an Ogg file with one stream, in order (RFC 3533): a page has a table of segments of up to 255 bytes, and a packet ends
 * with the first segment that is shorter. Checksums are not looked at. @throws Error where no page is
 */
export function oggPackets(bytes: Buffer): Buffer[] {
  const packets: Buffer[] = [];
  let parts: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    if (bytes.toString('latin1', at, at + 4) !== 'OggS') throw new Error(`no Ogg page at ${at}`);
    const segments = bytes[at + 26] ?? 0;
    let start = at + PAGE_HEADER_BYTES + segments;
    for (let segment = 0; segment < segments; segment += 1) {
      const length = bytes[at + PAGE_HEADER_BYTES + segment] ?? 0;
      parts.push(bytes.subarray(start, start + length));
      start += length;
      if (length === 255) continue;
      packets.push(Buffer.concat(parts));
      parts = [];
    }
    at = start;
  }
  return packets;
}
