import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeBlock, type SpoolBlock } from '@earshot/contracts';

const READ_BYTES = 256 * 1024;
const MAGIC = Buffer.from('ESB1', 'latin1');
const FILE_NAME = /^(\d+)-(\d{6,})\.spool$/;

/** The channel and number of a spool file; null for other files. */
export function spoolNameOf(name: string): { readonly index: number; readonly number: number } | null {
  const match = FILE_NAME.exec(name);
  return match === null ? null : { index: Number(match[1]), number: Number(match[2]) };
}

/**
 * Reads one channel's spool files while they are written. Files that were opened can be read to their end though they are
 * removed meanwhile (POSIX), which post-call does soon after a call.
 */
export class SpoolTail {
  readonly #folder: string;
  /** Files not yet read, oldest first. */
  readonly #files: { readonly number: number; readonly handle: FileHandle }[] = [];
  #newest = -1;
  #offset = 0;
  damaged = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Opens a file of this channel that was not seen before. */
  async found(name: string, number: number): Promise<void> {
    if (number <= this.#newest) return;
    const handle = await open(join(this.#folder, name), 'r').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw error;
    });
    if (handle === null) return;
    this.#newest = number;
    this.#files.push({ number, handle });
  }

  /** What was written since, up to some seconds of audio; empty when there is no more for now. */
  async read(): Promise<SpoolBlock[]> {
    const file = this.#files[0];
    if (file === undefined) return [];
    const bytes = Buffer.allocUnsafe(READ_BYTES);
    const { bytesRead } = await file.handle.read(bytes, 0, READ_BYTES, this.#offset);
    const { blocks, taken } = this.#parse(bytes.subarray(0, bytesRead));
    this.#offset += taken;
    if (taken === 0 && this.#files.length > 1) {
      // The writer went on in the next file: what is left here is the tail of one that died.
      await file.handle.close();
      this.#files.shift();
      this.#offset = 0;
      return this.read();
    }
    return blocks;
  }

  /** What the files have beyond what was read. */
  async unreadBytes(): Promise<number> {
    let bytes = -this.#offset;
    for (const { handle } of this.#files) bytes += (await handle.stat()).size;
    return Math.max(0, bytes);
  }

  async close(): Promise<void> {
    for (const { handle } of this.#files.splice(0)) await handle.close();
  }

  #parse(bytes: Buffer): { blocks: SpoolBlock[]; taken: number } {
    const blocks: SpoolBlock[] = [];
    let at = 0;
    while (at < bytes.length) {
      const read = decodeBlock(bytes, at);
      if (read.kind === 'truncated') break;
      if (read.kind === 'block') {
        // A copy, so that one block does not hold all that was read with it.
        blocks.push({ ...read.block, payload: new Uint8Array(read.block.payload) });
        at = read.nextOffset;
        continue;
      }
      // Seen while it is written, or damaged for good: then another block follows.
      const next = bytes.indexOf(MAGIC, at + 1);
      if (next < 0) break;
      this.damaged++;
      at = next;
    }
    return { blocks, taken: at };
  }
}
