import fs from 'node:fs';
import { join } from 'node:path';
import type { ChannelId } from '@earshot/contracts';
import type { DiskHealth } from './disk-health.ts';
import {
  MAX_RECORD_OVERHEAD,
  writeChannelRecord,
  writeClockRecord,
  writePacketRecord,
} from './wal-record.ts';

/** One channel's place in the log. */
export interface WalChannel {
  readonly id: ChannelId;
  /** The file that knows the channel's number, and the number. */
  file: WalFile | null;
  number: number;
}

export interface WalFile {
  readonly path: string;
  /** By channel number: id, and the arrival of its last packet in the file. */
  readonly channels: ChannelId[];
  readonly lastUs: number[];
}

export const walFileName = (worker: number, n: number): string =>
  `${worker}-${String(n).padStart(9, '0')}.wal`;

const ROTATE_US = 2_000_000;
const ROTATE_BYTES = 16 * 1024 * 1024;
/** A disk that fails for long must not be filled by the log: beyond this the oldest file goes, covered or not. */
const MAX_FILES = 64;
/** In a turn that reads many packets a batch goes out after some 35 of them: a write costs 5 to 10 microseconds. */
const FLUSH_BYTES = 8192;
/** A packet after a pause as long as this (1 ms) is written at once: a thousand writes a second are 1 % of a core. */
const QUIET_US = 1000;
const FIRST_BATCH_BYTES = 256 * 1024;
/** Beyond this the batch is dropped: a log that cannot be written must not take the memory. */
const MAX_BATCH_BYTES = 64 * 1024 * 1024;
/** A write that took longer than this (microseconds) shows that the disk pushes back; for a second the loop does not wait for it. */
const SLOW_WRITE_US = 10_000;
const SLOW_FOR_US = 1_000_000;
/** After a file that could not be opened or written, the next one is not tried for each packet. */
const RETRY_OPEN_US = 1_000_000;

/**
 * The write-ahead log of one worker: every packet taken, in arrival order, until the channels' blocks have it.
 *
 * A batch goes out at the end of each turn of the event loop, or earlier when it has grown or nothing was written for 1 ms. It is written in the turn itself:
 * that is a copy into the page cache and leaves the shortest time in which a SIGKILL could take a packet that was read. While
 * the disk pushes back it is written by the thread pool, one write in flight.
 */
export class Wal {
  /** What is logged is safe elsewhere until flush(): nothing needs to be written earlier. */
  waitsForFlush = false;
  readonly #folder: string;
  readonly #worker: number;
  readonly #health: DiskHealth;
  readonly #nowUs: () => number;
  readonly #covered: (channel: ChannelId) => number;
  readonly #old: WalFile[] = [];
  readonly #flushSoon = (): void => this.#flush();
  #current: WalFile | null = null;
  #fd = -1;
  #offset = 0;
  #next: number;
  #openedUs = 0;
  #batch = Buffer.allocUnsafe(FIRST_BATCH_BYTES);
  #spareBatch = Buffer.allocUnsafe(FIRST_BATCH_BYTES);
  #used = 0;
  #scheduled = false;
  #inFlight = false;
  #inFlightBytes = 0;
  /** Bytes that were written or given up. */
  #done = 0;
  #slowUntilUs = 0;
  #wroteUs = 0;
  #retryUs = 0;
  #closed = false;

  /**
   * @param covered up to which arrival (microseconds) a channel's packets are in its blocks; Infinity for a channel that is gone
   * @param first number of the first file
   */
  constructor(
    folder: string,
    worker: number,
    first: number,
    health: DiskHealth,
    nowUs: () => number,
    covered: (channel: ChannelId) => number,
  ) {
    this.#folder = folder;
    this.#worker = worker;
    this.#next = first;
    this.#health = health;
    this.#nowUs = nowUs;
    this.#covered = covered;
  }

  /** A predecessor's file, to be deleted when it is covered. */
  inherit(file: WalFile): void {
    this.#old.push(file);
  }

  packet(
    channel: WalChannel,
    arrivalUs: number,
    endTick: number,
    address: string,
    port: number,
    datagram: Uint8Array,
  ): void {
    const number = this.#numberOf(channel, arrivalUs, datagram.length);
    if (number < 0) return;
    this.#used = writePacketRecord(
      this.#batch,
      this.#used,
      number,
      arrivalUs,
      endTick,
      address,
      port,
      datagram,
    );
    this.#schedule();
  }

  /** The clock moved an idle timeline on: what was told about it is not to be untold by a replacement. */
  clock(channel: WalChannel, nowUs: number, endTick: number): void {
    const number = this.#numberOf(channel, -1, 0);
    if (number < 0) return;
    this.#used = writeClockRecord(this.#batch, this.#used, number, nowUs, endTick);
    this.#schedule();
  }

  /** Writes what there is. @returns a mark for isWritten */
  flush(): number {
    this.#write();
    return this.#done + this.#inFlightBytes + this.#used;
  }

  /** Whether what had been logged when flush gave the mark is in the file, or was given up. */
  isWritten(mark: number): boolean {
    return this.#done >= mark;
  }

  /** Rotates by age, deletes what is covered. Once a second. */
  tend(): void {
    if (this.#fd >= 0 && this.#nowUs() - this.#openedUs > ROTATE_US && !this.#inFlight) this.#rotate();
    while (this.#old.length > 0 && (this.#isCovered(this.#old[0]!) || this.#old.length > MAX_FILES)) {
      fs.unlink(this.#old.shift()!.path, (error) => {
        if (error !== null && error.code !== 'ENOENT') this.#health.failed(error);
      });
    }
  }

  sync(): Promise<void> {
    if (this.#fd < 0) return Promise.resolve();
    return new Promise((resolve) => {
      fs.fdatasync(this.#fd, (error) => {
        if (error !== null && error.code !== 'EBADF') this.#health.failed(error);
        resolve();
      });
    });
  }

  /** Writes what is left. */
  close(): void {
    this.#slowUntilUs = 0;
    this.#flush();
    this.#closed = true;
    if (this.#fd >= 0) fs.closeSync(this.#fd);
    this.#fd = -1;
  }

  /** The channel's number in the current file, with room for a record; -1 when there can be none. */
  #numberOf(channel: WalChannel, arrivalUs: number, bytes: number): number {
    if (this.#closed) return -1;
    if (this.#current === null && (this.#nowUs() < this.#retryUs || !this.#open())) return -1;
    const file = this.#current!;
    if (!this.#room(2 * MAX_RECORD_OVERHEAD + bytes)) return -1;
    if (channel.file !== file) {
      channel.file = file;
      channel.number = file.channels.length;
      file.channels.push(channel.id);
      file.lastUs.push(arrivalUs);
      this.#used = writeChannelRecord(this.#batch, this.#used, channel.number, channel.id);
    }
    if (arrivalUs > file.lastUs[channel.number]!) file.lastUs[channel.number] = arrivalUs;
    return channel.number;
  }

  #room(bytes: number): boolean {
    if (this.#used + bytes <= this.#batch.length) return true;
    if (this.#batch.length >= MAX_BATCH_BYTES) {
      this.#health.failed(new Error('write-ahead log: the disk does not keep up, packets are not logged'));
      return false;
    }
    const larger = Buffer.allocUnsafe(this.#batch.length * 2 + bytes);
    this.#batch.copy(larger, 0, 0, this.#used);
    this.#batch = larger;
    return true;
  }

  #schedule(): void {
    const now =
      !this.waitsForFlush && (this.#used >= FLUSH_BYTES || this.#nowUs() - this.#wroteUs > QUIET_US);
    if (now) this.#write();
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#flushSoon);
  }

  #flush(): void {
    this.#scheduled = false;
    this.#write();
  }

  #write(): void {
    if (this.#inFlight || this.#used === 0 || this.#fd < 0) return;
    const startUs = this.#nowUs();
    this.#wroteUs = startUs;
    if (startUs < this.#slowUntilUs) return this.#flushInPool();
    const used = this.#used;
    this.#used = 0;
    this.#done += used;
    try {
      this.#wrote(fs.writeSync(this.#fd, this.#batch, 0, used, this.#offset), used);
    } catch (error) {
      this.#health.failed(error as Error);
      this.#abandon();
    }
    if (this.#nowUs() - startUs > SLOW_WRITE_US) this.#slowUntilUs = this.#nowUs() + SLOW_FOR_US;
  }

  #flushInPool(): void {
    const batch = this.#batch;
    const used = this.#used;
    this.#batch = this.#spareBatch;
    this.#spareBatch = batch;
    this.#used = 0;
    this.#inFlight = true;
    this.#inFlightBytes = used;
    fs.write(this.#fd, batch, 0, used, this.#offset, (error, written) => {
      this.#inFlight = false;
      this.#inFlightBytes = 0;
      this.#done += used;
      if (error === null) this.#wrote(written, used);
      else {
        this.#health.failed(error);
        this.#abandon();
      }
      if (this.#used > 0) this.#schedule();
    });
  }

  #wrote(written: number, wanted: number): void {
    if (written < wanted) {
      this.#health.failed(new Error('write-ahead log: short write, the disk is full'));
      return this.#abandon();
    }
    this.#health.worked();
    this.#health.walBytes += written;
    this.#offset += written;
    if (this.#offset > ROTATE_BYTES) this.#rotate();
  }

  /**
   * After an error the file's tail is uncertain: go on in another one. Its batch was lost, and so were channel records. Not at
   * once: on a full disk every packet would make a file.
   */
  #abandon(): void {
    this.#retryUs = this.#nowUs() + RETRY_OPEN_US;
    this.#rotate();
  }

  #rotate(): void {
    if (this.#fd < 0) return;
    if (this.#used > 0 && !this.#inFlight) {
      // The batch has channel numbers of this file: it goes into it first.
      try {
        this.#health.walBytes += fs.writeSync(this.#fd, this.#batch, 0, this.#used, this.#offset);
      } catch (error) {
        this.#health.failed(error as Error);
      }
      this.#done += this.#used;
      this.#used = 0;
    }
    fs.closeSync(this.#fd);
    this.#fd = -1;
    this.#old.push(this.#current!);
    this.#current = null;
  }

  #open(): boolean {
    const path = join(this.#folder, walFileName(this.#worker, this.#next));
    try {
      this.#fd = fs.openSync(path, 'w');
    } catch (error) {
      this.#health.failed(error as Error);
      this.#retryUs = this.#nowUs() + RETRY_OPEN_US;
      return false;
    }
    this.#next++;
    this.#offset = 0;
    this.#done += this.#used;
    this.#used = 0;
    this.#openedUs = this.#nowUs();
    this.#current = { path, channels: [], lastUs: [] };
    return true;
  }

  #isCovered(file: WalFile): boolean {
    for (let number = 0; number < file.channels.length; number++) {
      if (this.#covered(file.channels[number]!) < file.lastUs[number]!) return false;
    }
    return true;
  }
}
