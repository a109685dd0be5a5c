import type { FileHandle } from 'node:fs/promises';
import { CONTINUED, CRC_OFFSET, LAST_PAGE, MAGIC, oggCrc, PAGE_HEADER_BYTES } from './ogg-page.ts';

const READ_BYTES = 64 * 1024;
/** 27 bytes, 255 lacing values, 255 bytes of each. */
const LONGEST_PAGE = PAGE_HEADER_BYTES + 255 + 255 * 255;
const NO_CRC = Buffer.alloc(4);

export interface OggPage {
  /** In the file. */
  readonly offset: number;
  readonly endOffset: number;
  /** At the end of the last packet that ends on it; -1: none does. */
  readonly granule: number;
  readonly serial: number;
  readonly sequence: number;
  readonly continued: boolean;
  readonly last: boolean;
  /** Parts of packets, one after the other. All but the last end here; the last does unless `open`. */
  readonly parts: readonly Buffer[];
  readonly open: boolean;
}

/** The pages of a file in order. What is no page, or has another checksum, is passed over. */
export class OggPages {
  readonly #handle: FileHandle;
  #bytes: Buffer = Buffer.alloc(0);
  /** Of #bytes in the file. */
  #offset: number;
  #at = 0;
  #atEnd = false;

  /** @param offset in the file to begin at */
  constructor(handle: FileHandle, offset = 0) {
    this.#handle = handle;
    this.#offset = offset;
  }

  /** @returns null at the end of the file */
  async next(): Promise<OggPage | null> {
    for (;;) {
      if (!this.#atEnd && this.#bytes.length - this.#at < LONGEST_PAGE) await this.#more();
      const found = this.#bytes.indexOf(MAGIC, this.#at);
      if (found === -1) {
        if (this.#atEnd) return null;
        // The beginning of a magic may be the end of what was read.
        this.#at = Math.max(this.#at, this.#bytes.length - (MAGIC.length - 1));
        continue;
      }
      if (found > this.#at) {
        this.#at = found;
        continue;
      }
      const page = pageAt(this.#bytes, found, this.#offset);
      this.#at = page === null ? found + 1 : page.endOffset - this.#offset;
      if (page !== null) return page;
    }
  }

  async #more(): Promise<void> {
    const more = Buffer.allocUnsafe(READ_BYTES + LONGEST_PAGE);
    const { bytesRead } = await this.#handle.read(more, 0, more.length, this.#offset + this.#bytes.length);
    this.#atEnd = bytesRead === 0;
    this.#offset += this.#at;
    this.#bytes = Buffer.concat([this.#bytes.subarray(this.#at), more.subarray(0, bytesRead)]);
    this.#at = 0;
  }
}

/** @param base the file's offset of bytes @returns null when there is no whole page with a right checksum */
function pageAt(bytes: Buffer, at: number, base: number): OggPage | null {
  if (at + PAGE_HEADER_BYTES > bytes.length || bytes[at + 4] !== 0) return null;
  const segments = bytes[at + 26]!;
  const bodyAt = at + PAGE_HEADER_BYTES + segments;
  if (bodyAt > bytes.length) return null;
  const lacing = bytes.subarray(at + PAGE_HEADER_BYTES, bodyAt);
  const parts: Buffer[] = [];
  let end = bodyAt;
  let from = bodyAt;
  for (const size of lacing) {
    end += size;
    if (size === 255) continue;
    parts.push(bytes.subarray(from, end));
    from = end;
  }
  const open = segments > 0 && lacing[segments - 1] === 255;
  if (open) parts.push(bytes.subarray(from, end));
  if (end > bytes.length) return null;
  let crc = oggCrc(bytes.subarray(at, at + CRC_OFFSET));
  crc = oggCrc(NO_CRC, crc);
  if (oggCrc(bytes.subarray(at + CRC_OFFSET + 4, end), crc) !== bytes.readUInt32LE(at + CRC_OFFSET))
    return null;
  const flags = bytes[at + 5]!;
  return {
    offset: base + at,
    endOffset: base + end,
    granule: Number(bytes.readBigInt64LE(at + 6)),
    serial: bytes.readUInt32LE(at + 14),
    sequence: bytes.readUInt32LE(at + 18),
    continued: (flags & CONTINUED) !== 0,
    last: (flags & LAST_PAGE) !== 0,
    parts,
    open,
  };
}

/** Puts the packets of one stream together again from its pages. */
export class OggPackets {
  #sequence = -1;
  #begun: Buffer[] | null = null;

  /** @returns the packets that end on the page and whose beginning was seen */
  of(page: OggPage): Buffer[] {
    const follows = page.sequence === this.#sequence + 1;
    this.#sequence = page.sequence;
    const begun = follows && page.continued ? this.#begun : null;
    this.#begun = null;
    const packets: Buffer[] = [];
    for (const [i, part] of page.parts.entries()) {
      const continues = i === 0 && page.continued;
      const ends = i < page.parts.length - 1 || !page.open;
      if (continues && begun === null) continue;
      const whole = continues ? [...begun!, part] : [part];
      if (ends) packets.push(whole.length === 1 ? part : Buffer.concat(whole));
      else this.#begun = whole;
    }
    return packets;
  }
}

/** The last page of the file on which a packet ends; null when there is none. Reads the file's end only. */
export async function lastPage(handle: FileHandle): Promise<OggPage | null> {
  const { size } = await handle.stat();
  // Any place is as good: pages are looked for. Two of the longest have a whole one in them.
  const pages = new OggPages(handle, Math.max(0, size - 2 * LONGEST_PAGE));
  let last: OggPage | null = null;
  for (let page = await pages.next(); page !== null; page = await pages.next()) {
    if (page.granule >= 0) last = page;
  }
  return last;
}
