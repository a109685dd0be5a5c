import { openSync, writeSync } from 'node:fs';

/** What the journal writes with. */
export interface Disk {
  /** @returns a file descriptor @throws as fs.openSync */
  open(path: string, flags: 'a' | 'w'): number;
  /** @returns how many of the bytes were written, maybe not all @throws as fs.writeSync */
  write(file: number, bytes: Uint8Array): number;
}

export const realDisk: Disk = {
  // The keys of protected streams are in it.
  open: (path, flags) => openSync(path, flags, 0o600),
  write: (file, bytes) => writeSync(file, bytes),
};

/** A file of which only the head was written is no error to write(2): the rest is. @throws as fs.writeSync */
export function writeAll(disk: Disk, file: number, text: string): void {
  for (let rest: Uint8Array = Buffer.from(text); rest.length > 0;) {
    const written = disk.write(file, rest);
    if (written <= 0) throw Object.assign(new Error('nothing more can be written'), { code: 'ENOSPC' });
    rest = rest.subarray(written);
  }
}

/** No room, or no more than the user may take: it passes, and the process can do without the disk until then. */
export const isDiskFull = (error: unknown): boolean =>
  ['ENOSPC', 'EDQUOT', 'EFBIG'].includes((error as NodeJS.ErrnoException).code ?? '');
