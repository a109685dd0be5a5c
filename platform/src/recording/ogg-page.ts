/** Pages of Ogg (RFC 3533): how packets become pages. */

/** The most lacing values that a page has, and the most bytes of one. */
const MOST_SEGMENTS = 255;
const SEGMENT_BYTES = 255;
export const PAGE_HEADER_BYTES = 27;
export const CRC_OFFSET = 22;
export const MAGIC = Buffer.from('OggS', 'latin1');
/** Bits of the header's type. */
export const CONTINUED = 1;
const FIRST_PAGE = 2;
export const LAST_PAGE = 4;
/** The granule position of a page on which no packet ends, as read. */
const NO_GRANULE = -1;

const CRC_POLYNOMIAL = 0x04c11db7;
const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 24;
  for (let bit = 0; bit < 8; bit++) crc = (crc << 1) ^ (crc < 0 ? CRC_POLYNOMIAL : 0);
  return crc >>> 0;
});

/** The checksum of a page whose own field of it is zero: not reflected, from 0, nothing inverted (RFC 3533, section 6). */
export function oggCrc(bytes: Uint8Array, crc = 0): number {
  let value = crc;
  for (const byte of bytes) value = (value << 8) ^ CRC_TABLE[(value >>> 24) ^ byte]!;
  return value >>> 0;
}

/** Lays the packets of one logical stream into pages. */
export class OggPacker {
  readonly #serial: number;
  /** A page that spans this much gets no further packet. */
  readonly #mostGranules: number;
  #sequence = 0;
  #continued = false;
  #segments: number[] = [];
  #body: Uint8Array[] = [];
  /** Of the last packet that ended. */
  #granule = 0;
  #endsPacket = false;
  #fromGranule = 0;
  #pages: Buffer[] = [];

  /** @param serial of the stream, 32 bits */
  constructor(serial: number, mostGranules: number) {
    this.#serial = serial;
    this.#mostGranules = mostGranules;
  }

  /** @param granule position at the packet's end; it does not fall */
  add(packet: Uint8Array, granule: number): void {
    if (this.#granule - this.#fromGranule >= this.#mostGranules) this.#page(0);
    let at = 0;
    let size: number;
    // A packet ends with the first lacing value below 255, if it is 0.
    do {
      if (this.#segments.length === MOST_SEGMENTS) {
        this.#page(0);
        this.#continued = at > 0;
      }
      size = Math.min(SEGMENT_BYTES, packet.length - at);
      this.#segments.push(size);
      this.#body.push(packet.subarray(at, at + size));
      at += size;
    } while (size === SEGMENT_BYTES);
    this.#granule = granule;
    this.#endsPacket = true;
  }

  /** Ends the page, so that the next packet begins another. */
  endPage(): void {
    if (this.#segments.length > 0) this.#page(0);
  }

  /** Ends the stream after the last packet. @param granule the last page's: before that packet's end where its end is cut off */
  finish(granule: number): void {
    this.#granule = granule;
    this.#page(LAST_PAGE);
  }

  /** @returns the pages that are whole, each once */
  take(): Buffer[] {
    const pages = this.#pages;
    this.#pages = [];
    return pages;
  }

  #page(flags: number): void {
    const segments = this.#segments.length;
    const header = Buffer.alloc(PAGE_HEADER_BYTES + segments);
    MAGIC.copy(header);
    header[5] = flags | (this.#continued ? CONTINUED : 0) | (this.#sequence === 0 ? FIRST_PAGE : 0);
    header.writeBigInt64LE(BigInt(this.#endsPacket ? this.#granule : NO_GRANULE), 6);
    header.writeUInt32LE(this.#serial, 14);
    header.writeUInt32LE(this.#sequence++, 18);
    header[26] = segments;
    header.set(this.#segments, PAGE_HEADER_BYTES);
    const page = Buffer.concat([header, ...this.#body]);
    page.writeUInt32LE(oggCrc(page), CRC_OFFSET);
    this.#pages.push(page);
    this.#fromGranule = this.#granule;
    this.#segments = [];
    this.#body = [];
    this.#continued = false;
    this.#endsPacket = false;
  }
}
