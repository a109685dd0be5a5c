import fs from 'node:fs/promises';
import { join } from 'node:path';
import {
  BLOCK_HEADER_BYTES,
  BLOCK_TICKS,
  bytesPerTick,
  decodeBlock,
  type SpoolBlock,
  TICKS_PER_FILE,
  VAD_FRAME_TICKS,
} from '@earshot/contracts';
import { Gate, HANGOVER_TICKS } from '../vad/gate.ts';
import type { AudioSource } from './tape.ts';
import { addSpeech, endOf, tapeBlockOf, type TapeBlock } from './tape-block.ts';

/** What is read at once: 30 s of audio. Parsing it with its checksums takes about a millisecond. */
const WINDOW_BYTES = 256 * 1024;
/** A first guess at how far from the end of a file a tick is; grows by four until it is right. */
const TAIL_BYTES = 64 * 1024;
/** Enough to have a whole block in it, wherever it begins. */
const PROBE_BYTES = 16 * 1024;
/** The four bytes that a block begins with. */
export const MAGIC = Buffer.from('ESB1', 'latin1');

/** Whether it can be one of ours, which the checksum alone does not say. */
export const isSane = ({ ticks, payload, encoding }: SpoolBlock): boolean =>
  ticks > 0 && ticks <= BLOCK_TICKS && payload.length >= ticks * bytesPerTick(encoding);

/** A block and where its bytes lie in what was read. */
interface Located {
  readonly block: SpoolBlock;
  readonly offset: number;
  readonly nextOffset: number;
}

export interface ParsedBlocks {
  readonly blocks: readonly Located[];
  /** Damaged stretches that were stepped over, a truncated tail included. */
  readonly damaged: number;
  /** Those between two good blocks: the others may only be the ends of what was read. */
  readonly damagedBetween: number;
}

/** The good blocks in bytes, in order, from wherever the first one begins. Never throws. */
export function parseBlocks(bytes: Buffer): ParsedBlocks {
  const blocks: Located[] = [];
  let damaged = 0;
  let damagedBetween = 0;
  let at = 0;
  let inDamage = false;
  while (at < bytes.length) {
    const read = decodeBlock(bytes, at);
    if (read.kind === 'block' && isSane(read.block)) {
      if (inDamage && blocks.length > 0) damagedBetween++;
      blocks.push({ block: read.block, offset: at, nextOffset: read.nextOffset });
      at = read.nextOffset;
      inDamage = false;
      continue;
    }
    if (!inDamage) damaged++;
    inDamage = true;
    const next = bytes.indexOf(MAGIC, at + 1);
    at = next < 0 ? bytes.length : next;
  }
  return { blocks, damaged, damagedBetween };
}

/** The names of a channel's files in a call's folder, oldest first. */
export async function spoolFilesOf(folder: string, channelIndex: number): Promise<string[]> {
  const names = await fs.readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  return names.filter((name) => name.startsWith(`${channelIndex}-`) && name.endsWith('.spool')).sort();
}

const fileNumberOf = (name: string): number => Number(name.slice(name.indexOf('-') + 1, -'.spool'.length));

async function readRange(handle: fs.FileHandle, from: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await handle.read(bytes, filled, length - filled, from + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}

/** A stretch of a channel's files in memory. */
class FileWindow implements AudioSource {
  readonly gate = new Gate();
  readonly firstTick: number;
  readonly endTick: number;
  readonly decidedTick: number;
  readonly #blocks: TapeBlock[];

  constructor(blocks: TapeBlock[], firstTick: number, endTick: number) {
    this.#blocks = blocks;
    this.firstTick = firstTick;
    this.endTick = endTick;
    this.decidedTick = endTick;
    for (const block of blocks) addSpeech(this.gate, block);
  }

  blockFrom(tick: number): TapeBlock | null {
    return this.#blocks.find((block) => endOf(block) > tick) ?? null;
  }
}

export interface WindowRead {
  readonly window: AudioSource;
  readonly damaged: number;
}

/**
 * Reads what a channel's files have from `fromTick` on, with the hangover before it so that it gates as it did, and up to
 * about 30 s. The window ends before upToTick, where the tape begins; where the files end earlier it reaches up to there.
 * @throws system errors of open and read
 */
export async function readWindow(
  folder: string,
  channelIndex: number,
  fromTick: number,
  upToTick: number,
): Promise<WindowRead> {
  const wanted = Math.max(0, fromTick - HANGOVER_TICKS - VAD_FRAME_TICKS);
  const blocks: TapeBlock[] = [];
  let damaged = 0;
  let room = WINDOW_BYTES;
  const files = await spoolFilesOf(folder, channelIndex);
  for (const file of files) {
    const number = fileNumberOf(file);
    if ((number + 1) * TICKS_PER_FILE + BLOCK_TICKS <= wanted) continue;
    if (number * TICKS_PER_FILE >= upToTick || room < BLOCK_HEADER_BYTES) break;
    const part = await readFrom(join(folder, file), wanted, room);
    damaged += part.damaged;
    room -= part.bytes;
    for (const { block } of part.blocks) {
      if (block.startTick + block.ticks > wanted && block.startTick < upToTick)
        blocks.push(tapeBlockOf(block));
    }
  }
  const full = room < BLOCK_HEADER_BYTES + BLOCK_TICKS;
  const last = blocks.at(-1);
  const endTick = full && last !== undefined ? Math.min(endOf(last), upToTick) : upToTick;
  return { window: new FileWindow(blocks, wanted, endTick), damaged };
}

interface PartRead {
  readonly blocks: readonly Located[];
  readonly damaged: number;
  readonly bytes: number;
}

/** The blocks of one file from the one that has wantedTick (or a little before) on, at most maxBytes of them. */
async function readFrom(path: string, wantedTick: number, maxBytes: number): Promise<PartRead> {
  const handle = await fs.open(path, 'r');
  try {
    const { size } = await handle.stat();
    for (let tail = Math.max(TAIL_BYTES, maxBytes / 2); ; tail *= 4) {
      const from = Math.max(0, size - tail);
      if (from === 0) return await scan(handle, 0, size, wantedTick, maxBytes);
      const probe = await readRange(handle, from, PROBE_BYTES);
      const first = parseBlocks(probe).blocks[0];
      if (first !== undefined && first.block.startTick <= wantedTick) {
        return await scan(handle, from + first.offset, size, wantedTick, maxBytes);
      }
    }
  } finally {
    await handle.close();
  }
}

/** Steps forward from `from`, a window at a time, to the block that reaches past wantedTick. */
async function scan(
  handle: fs.FileHandle,
  from: number,
  size: number,
  wantedTick: number,
  maxBytes: number,
): Promise<PartRead> {
  let at = from;
  let damaged = 0;
  while (at < size) {
    const bytes = await readRange(handle, at, Math.min(size - at, maxBytes));
    if (bytes.length === 0) break;
    const parsed = parseBlocks(bytes);
    const first = parsed.blocks.findIndex(({ block }) => block.startTick + block.ticks > wantedTick);
    const atEnd = at + bytes.length >= size;
    if (first === 0 || (first > 0 && atEnd)) {
      const blocks = parsed.blocks.slice(first);
      return { blocks, damaged: damaged + parsed.damagedBetween, bytes: bytes.length };
    }
    if (first > 0) {
      at += parsed.blocks[first]!.offset;
      continue;
    }
    damaged += parsed.damagedBetween;
    // A block that is cut by the end of these bytes begins the next ones.
    at += atEnd ? bytes.length : (parsed.blocks.at(-1)?.nextOffset ?? bytes.length);
  }
  return { blocks: [], damaged, bytes: 0 };
}

/** For files that cannot be read: a gap. */
export const emptyWindow = (fromTick: number, upToTick: number): AudioSource =>
  new FileWindow([], fromTick, upToTick);
