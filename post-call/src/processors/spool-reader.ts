import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { bytesPerTick, decodeBlock, type SpoolBlock, TICKS_PER_FILE } from '@earshot/contracts';

const READ_BYTES = 256 * 1024;
const MAGIC = Buffer.from('ESB1', 'latin1');
const FILE_NAME = /^(\d+)-(\d{6,})\.spool$/;

/** Called for each stretch of a file that is no block: damaged, or the tail of a writer that died. */
export type OnDamage = (file: string, offset: number) => void;

export interface SpoolFile {
  readonly path: string;
  readonly channelIndex: number;
  readonly fileNumber: number;
}

/** The spool files of a call, by channel and time. Empty when there is no folder. */
export async function spoolFilesOf(folder: string): Promise<SpoolFile[]> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  return names
    .flatMap((name) => {
      const match = FILE_NAME.exec(name);
      if (match === null) return [];
      return [{ path: join(folder, name), channelIndex: Number(match[1]), fileNumber: Number(match[2]) }];
    })
    .sort((a, b) => a.channelIndex - b.channelIndex || a.fileNumber - b.fileNumber);
}

/** The blocks of one file in order. The payload is a copy. Memory is bounded by a read and the longest block. */
export async function* blocksOf(file: SpoolFile, onDamage: OnDamage): AsyncGenerator<SpoolBlock> {
  const handle = await open(file.path, 'r');
  try {
    let bytes: Buffer = Buffer.alloc(0);
    let bytesOffset = 0;
    let atEnd = false;
    let damageReported = false;
    let offset = 0;
    for (;;) {
      const read = decodeBlock(bytes, offset);
      if (read.kind === 'truncated' && !atEnd) {
        const more = Buffer.allocUnsafe(READ_BYTES);
        const { bytesRead } = await handle.read(more, 0, READ_BYTES, null);
        atEnd = bytesRead === 0;
        bytesOffset += offset;
        bytes = Buffer.concat([bytes.subarray(offset), more.subarray(0, bytesRead)]);
        offset = 0;
        continue;
      }
      if (read.kind === 'block' && belongs(read.block, file)) {
        damageReported = false;
        offset = read.nextOffset;
        yield { ...read.block, payload: read.block.payload.slice() };
        continue;
      }
      if (atEnd && offset >= bytes.length) return;
      if (!damageReported) onDamage(file.path, bytesOffset + offset);
      damageReported = true;
      // The length in a damaged header cannot be trusted: go on at the next thing that looks like a block.
      const next = bytes.indexOf(MAGIC, offset + 1);
      offset = next === -1 ? Math.max(offset + 1, bytes.length - (MAGIC.length - 1)) : next;
      if (atEnd && next === -1) return;
    }
  } finally {
    await handle.close();
  }
}

/** A block in the wrong file would stretch the recording to wherever its tick lies. */
function belongs(block: SpoolBlock, file: SpoolFile): boolean {
  return (
    block.channelIndex === file.channelIndex &&
    block.ticks * bytesPerTick(block.encoding) === block.payload.length &&
    Math.floor(block.startTick / TICKS_PER_FILE) === file.fileNumber
  );
}
