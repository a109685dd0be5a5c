import fs from 'node:fs';
import { join } from 'node:path';
import { spoolFileName } from '@earshot/contracts';
import type { DiskHealth } from './disk-health.ts';

interface PendingBlock {
  readonly startTick: number;
  readonly endTick: number;
  /** Every packet that arrived up to then is in this block or an earlier one, or was discarded. */
  readonly coversUs: number;
  readonly bytes: Buffer;
}

/** Where a channel's files end (see LastBlock). */
interface FileEnd {
  readonly file: string;
  readonly nextOffset: number;
  readonly damagedBytes: number;
}

/** Behind a disk that does not keep up, blocks wait in memory up to this many (60 s); then the oldest are lost. */
const MAX_PENDING = 120;

/** Appends one channel's blocks to its files, in order, one write in flight. */
export class BlockWriter {
  /** Since when something is not synced, milliseconds of performance.now(); Infinity when all is. */
  dirtySinceMs = Infinity;
  /** All blocks up to here are in the files. */
  writtenTick = 0;
  /** The end of the last block that never came into a file; 0 when all did. */
  lostTick = 0;
  /** Where the last run of blocks began that never came into a file. */
  lostFromTick = 0;
  /** Packets that arrived up to then need no write-ahead log any more. */
  coveredUs = 0;
  readonly #folder: string;
  readonly #channelIndex: number;
  readonly #health: DiskHealth;
  readonly #pending: PendingBlock[] = [];
  #file: string | null = null;
  #fd = -1;
  #offset = 0;
  #busy = false;
  #waiters: (() => void)[] = [];
  #closed = false;
  /** The last block that was done with did not come into a file. */
  #losing = false;

  constructor(folder: string, channelIndex: number, health: DiskHealth) {
    this.#folder = folder;
    this.#channelIndex = channelIndex;
    this.#health = health;
  }

  /** Goes on after the last good block of a file; what follows it there is cut off. */
  restore({ file, nextOffset, damagedBytes }: FileEnd, endTick: number): void {
    this.writtenTick = endTick;
    try {
      this.#fd = fs.openSync(join(this.#folder, file), 'r+');
      if (damagedBytes > 0) fs.ftruncateSync(this.#fd, nextOffset);
      this.#file = file;
      this.#offset = nextOffset;
    } catch (error) {
      this.#health.failed(error as Error);
    }
  }

  write(startTick: number, endTick: number, coversUs: number, bytes: Buffer): void {
    if (this.#pending.length >= MAX_PENDING) {
      this.#lost(this.#pending.shift()!);
      this.#health.failed(new Error('spool blocks wait for the disk for a minute; the oldest was dropped'));
    }
    this.#pending.push({ startTick, endTick, coversUs, bytes });
    this.#pump();
  }

  /** Nothing waits for the disk. */
  get idle(): boolean {
    return !this.#busy && this.#pending.length === 0;
  }

  /** Resolves when everything written so far is in the files (or failed). */
  flushed(): Promise<void> {
    if (this.idle) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  /** Closes the file when the writes are done. */
  async close(): Promise<void> {
    await this.flushed();
    this.#closed = true;
    this.#closeFile();
  }

  /** For power loss; the death of the process needs none. */
  sync(): Promise<void> {
    this.dirtySinceMs = Infinity;
    if (this.#fd < 0) return Promise.resolve();
    return new Promise((resolve) => {
      fs.fdatasync(this.#fd, (error) => {
        // The file may have been closed meanwhile: it has its own way to the disk.
        if (error !== null && error.code !== 'EBADF') this.#health.failed(error);
        resolve();
      });
    });
  }

  #pump(): void {
    if (this.#busy || this.#closed) return;
    const block = this.#pending[0];
    if (block === undefined) {
      for (const done of this.#waiters.splice(0)) done();
      return;
    }
    this.#busy = true;
    const file = spoolFileName(this.#channelIndex, block.startTick);
    if (file === this.#file) this.#append(block);
    else this.#openFile(file, block);
  }

  #openFile(file: string, block: PendingBlock): void {
    this.#closeFile();
    fs.open(join(this.#folder, file), 'a+', (error, fd) => {
      if (error !== null) return this.#done(block, error);
      fs.fstat(fd, (statError, stats) => {
        this.#fd = fd;
        this.#file = file;
        this.#offset = statError === null ? stats.size : 0;
        this.#append(block);
      });
    });
  }

  #append(block: PendingBlock): void {
    fs.write(this.#fd, block.bytes, 0, block.bytes.length, this.#offset, (error, written) => {
      const short = error === null && written < block.bytes.length;
      this.#done(block, short ? new Error('spool: short write, the disk is full') : error);
    });
  }

  #done(block: PendingBlock, error: Error | null): void {
    this.#busy = false;
    if (error === null) {
      this.#losing = false;
      this.#health.worked();
      this.#health.spoolBytes += block.bytes.length;
      this.#offset += block.bytes.length;
      if (this.dirtySinceMs === Infinity) this.dirtySinceMs = performance.now();
    } else {
      this.#health.failed(error);
      this.#lost(block);
      this.#closeFile();
    }
    // A block that could not be written is gone from the disk: keeping the log for it would fill the disk further.
    if (this.#pending[0] === block) this.#pending.shift();
    this.writtenTick = block.endTick;
    this.coveredUs = block.coversUs;
    this.#pump();
  }

  #lost(block: PendingBlock): void {
    if (!this.#losing) this.lostFromTick = block.startTick;
    this.#losing = true;
    this.lostTick = block.endTick;
  }

  #closeFile(): void {
    if (this.#fd < 0) return;
    const fd = this.#fd;
    this.#fd = -1;
    this.#file = null;
    fs.close(fd, (error) => {
      if (error) this.#health.failed(error);
    });
  }
}
