/** A reader of Ogg pages that knows only RFC 3533, to hold ours against. */

export interface PlainPage {
  readonly flags: number;
  readonly granule: bigint;
  readonly serial: number;
  readonly sequence: number;
  readonly lacing: readonly number[];
  readonly body: Buffer;
}

/** Bit by bit, as section 6 defines it. */
function crcBitwise(bytes: Uint8Array): number {
  let register = 0n;
  for (const byte of bytes) {
    register ^= BigInt(byte) << 24n;
    for (let bit = 0; bit < 8; bit++) {
      const carry = (register & 0x80000000n) !== 0n;
      register = (register << 1n) & 0xffffffffn;
      if (carry) register ^= 0x04c11db7n;
    }
  }
  return Number(register);
}

/** @throws Error at the first fault */
export function plainPages(bytes: Buffer): PlainPage[] {
  const pages: PlainPage[] = [];
  for (let at = 0; at < bytes.length;) {
    if (bytes.toString('latin1', at, at + 4) !== 'OggS') throw new Error(`no page at ${at}`);
    if (bytes[at + 4] !== 0) throw new Error('version');
    const lacing = [...bytes.subarray(at + 27, at + 27 + bytes[at + 26]!)];
    const bodyAt = at + 27 + lacing.length;
    const end = bodyAt + lacing.reduce((sum, size) => sum + size, 0);
    if (end > bytes.length) throw new Error('cut off');
    const page = Buffer.from(bytes.subarray(at, end));
    const crc = page.readUInt32LE(22);
    page.writeUInt32LE(0, 22);
    if (crcBitwise(page) !== crc) throw new Error(`checksum at ${at}`);
    pages.push({
      flags: bytes[at + 5]!,
      granule: bytes.readBigInt64LE(at + 6),
      serial: bytes.readUInt32LE(at + 14),
      sequence: bytes.readUInt32LE(at + 18),
      lacing,
      body: bytes.subarray(bodyAt, end),
    });
    at = end;
  }
  return pages;
}

/** The packets, and the granule position of the page on which each ended. @throws Error where the pages contradict each other */
export function plainPackets(pages: readonly PlainPage[]): { bytes: Buffer; granule: bigint }[] {
  const packets: { bytes: Buffer; granule: bigint }[] = [];
  let begun: Buffer[] | null = null;
  for (const [n, page] of pages.entries()) {
    if (page.sequence !== n) throw new Error(`page ${n} says it is ${page.sequence}`);
    if (((page.flags & 1) !== 0) !== (begun !== null)) throw new Error(`page ${n}: continued?`);
    if (((page.flags & 2) !== 0) !== (n === 0)) throw new Error(`page ${n}: first?`);
    if (((page.flags & 4) !== 0) !== (n === pages.length - 1)) throw new Error(`page ${n}: last?`);
    let at = 0;
    let ended = 0;
    for (const size of page.lacing) {
      begun = [...(begun ?? []), page.body.subarray(at, at + size)];
      at += size;
      if (size === 255) continue;
      packets.push({ bytes: Buffer.concat(begun), granule: page.granule });
      begun = null;
      ended++;
    }
    if ((page.granule === -1n) !== (ended === 0)) throw new Error(`page ${n}: granule position`);
  }
  if (begun !== null) throw new Error('the last packet has no end');
  return packets;
}
