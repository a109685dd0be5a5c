import fs from 'node:fs';
import { join } from 'node:path';
import { BLOCK_HEADER_BYTES, decodeBlock, type SpoolBlock } from '@earshot/contracts';
import { isSane, MAGIC, parseBlocks } from './block-reader.ts';

/** Enough to have a whole block in it at the end of a file. Grows by four until there is one. */
const PROBE_BYTES = 12 * 1024;
/** Some 8 s of G.711: what the recogniser warms up with and what it had not decided. */
const RECENT_BYTES = 64 * 1024;

/** Where a channel's files end. */
export interface LastBlock {
  readonly block: SpoolBlock;
  readonly file: string;
  /** Where the next block goes. */
  readonly nextOffset: number;
  /** Bytes after the last good block: the tail of a writer that died. */
  readonly damagedBytes: number;
  /** The blocks of the last seconds, this one included. @throws system errors of open and read */
  recent(): RecentBlocks;
}

export interface RecentBlocks {
  readonly blocks: readonly SpoolBlock[];
  /** They are all that the channel has. */
  readonly whole: boolean;
}

/**
 * The last good block of a channel, wherever its files end; null when there is none. Synchronous: the files were written just now,
 * and hundreds of channels wait whose every hop to the thread pool would cost more than the reading.
 * @throws system errors of open and read
 */
export function lastBlockOf(folder: string, channelIndex: number): LastBlock | null {
  const files = spoolFilesIn(folder, channelIndex);
  for (const file of files.toReversed()) {
    const path = join(folder, file);
    const found = reading(path, (fd) => lastOfFile(fd));
    if (found === null) continue;
    const { block, end: nextOffset, size } = found;
    const recent = (): RecentBlocks => {
      const from = Math.max(0, nextOffset - RECENT_BYTES);
      const bytes = reading(path, (fd) => readRangeSync(fd, from, nextOffset - from));
      const blocks = parseBlocks(bytes).blocks.map((located) => located.block);
      return { blocks, whole: from === 0 && file === files[0] };
    };
    return { block, file, nextOffset, damagedBytes: size - nextOffset, recent };
  }
  return null;
}

function reading<T>(path: string, work: (fd: number) => T): T {
  const fd = fs.openSync(path, 'r');
  try {
    return work(fd);
  } finally {
    fs.closeSync(fd);
  }
}

/** Offsets are those in the file. */
function lastOfFile(fd: number): (Found & { readonly size: number }) | null {
  const { size } = fs.fstatSync(fd);
  for (let length = PROBE_BYTES; ; length *= 4) {
    const from = Math.max(0, size - length);
    const found = lastIn(readRangeSync(fd, from, size - from));
    if (found !== null) {
      return { block: found.block, start: from + found.start, end: from + found.end, size };
    }
    if (from === 0) return null;
  }
}

function spoolFilesIn(folder: string, channelIndex: number): string[] {
  try {
    const names = fs.readdirSync(folder);
    return names.filter((name) => name.startsWith(`${channelIndex}-`) && name.endsWith('.spool')).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function readRangeSync(fd: number, from: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let filled = 0;
  while (filled < length) {
    const count = fs.readSync(fd, bytes, filled, length - filled, from + filled);
    if (count === 0) break;
    filled += count;
  }
  return bytes.subarray(0, filled);
}

interface Found {
  readonly block: SpoolBlock;
  readonly start: number;
  readonly end: number;
}

/** The last block of the bytes, looked for from their end, so that only its own checksum is reckoned. */
function lastIn(bytes: Buffer): Found | null {
  for (let at = bytes.lastIndexOf(MAGIC); at >= 0; at = before(bytes, at)) {
    const found = blockAt(bytes, at);
    if (found !== null) return around(bytes, found) ?? found;
  }
  return null;
}

const before = (bytes: Buffer, at: number): number => (at === 0 ? -1 : bytes.lastIndexOf(MAGIC, at - 1));

function blockAt(bytes: Buffer, start: number): Found | null {
  const read = decodeBlock(bytes, start);
  return read.kind === 'block' && isSane(read.block)
    ? { block: read.block, start, end: read.nextOffset }
    : null;
}

/** A block in whose payload the other one lies: somebody's packets may hold what looks like a block. */
function around(bytes: Buffer, inner: Found): Found | null {
  const from = inner.start - BLOCK_HEADER_BYTES - MAX_PAYLOAD_BYTES;
  for (let at = before(bytes, inner.start); at >= Math.max(0, from); at = before(bytes, at)) {
    const payloadBytes = bytes.readUInt32LE(at + PAYLOAD_BYTES_AT);
    if (at + BLOCK_HEADER_BYTES + payloadBytes <= inner.start) continue;
    const outer = blockAt(bytes, at);
    if (outer !== null) return outer;
  }
  return null;
}

/** Of contracts' spool-block.ts: more than a block's payload, and where its length is said. */
const MAX_PAYLOAD_BYTES = 65_536;
const PAYLOAD_BYTES_AT = 20;
