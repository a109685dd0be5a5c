import { closeSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { EarshotError, type CallId } from '@earshot/contracts';
import type { Log } from '@earshot/platform';
import { isDiskFull, realDisk, writeAll, type Disk } from './disk.ts';
import { applyLine, type JournalEntry, type JournalLine } from './record.ts';

const COMPACT_ABOVE_BYTES = 4 * 1024 * 1024;
/** Compact when the file is this many times what its live entries take. */
const COMPACT_RATIO = 4;
/** A file that lacks lines is made whole by a compaction, which is tried this often. */
const REPAIR_EVERY_MS = 1_000;

/**
 * The call table on disk: one JSON value a line, appended. It is for the death of this process, which the page cache
 * survives, so there is no fsync. Writes are synchronous: a line of one or two kB takes some 20 µs, and a call must be on
 * record before its 200 goes out.
 *
 * A full disk ends no call and keeps no gateway from starting: the table goes on in memory, only its survival of this
 * process is lost, and the file is made whole as soon as there is room.
 */
export class Journal {
  readonly #path: string;
  readonly #log: Log;
  readonly #disk: Disk;
  readonly #entries = new Map<CallId, JournalEntry>();
  /** Null while not even an empty file can be had. */
  #file: number | null = null;
  #bytes = 0;
  #compactedBytes = 0;
  /** The file may end in a part of a line. */
  #cut = false;
  /** The file lacks what the entries have. */
  #behind = false;
  #repairAtMs = 0;

  /** @throws EarshotError DATA_DIR_UNUSABLE; not for a full disk */
  constructor(folder: string, log: Log, disk: Disk = realDisk) {
    this.#path = join(folder, 'calls.jsonl');
    this.#log = log;
    this.#disk = disk;
    try {
      this.#start(folder);
    } catch (error) {
      throw new EarshotError('DATA_DIR_UNUSABLE', `${this.#path}: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }

  get entries(): readonly JournalEntry[] {
    return [...this.#entries.values()];
  }

  append(line: JournalLine): void {
    applyLine(this.#entries, line);
    if (this.#behind && performance.now() >= this.#repairAtMs) {
      // Has this line too.
      this.#compact();
      if (!this.#behind) return;
    }
    if (this.#file === null) return;
    // A line of its own, whatever stands before it.
    const text = `${this.#cut ? '\n' : ''}${JSON.stringify(line)}\n`;
    try {
      writeAll(this.#disk, this.#file, text);
    } catch (error) {
      this.#cut = true;
      this.#lag(error);
      return;
    }
    this.#cut = false;
    this.#bytes += text.length;
    if (this.#bytes > COMPACT_ABOVE_BYTES && this.#bytes > this.#compactedBytes * COMPACT_RATIO)
      this.#compact();
  }

  close(): void {
    if (this.#file !== null) closeSync(this.#file);
    this.#file = null;
  }

  #start(folder: string): void {
    try {
      mkdirSync(folder, { recursive: true });
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      this.#lag(error);
      return;
    }
    this.#load();
    try {
      this.#file = this.#rewrite();
    } catch (error) {
      this.#append(error);
    }
  }

  /** The file could not be written anew: what there is of it is kept and written on, if it can be had. */
  #append(cause: unknown): void {
    try {
      this.#file = this.#disk.open(this.#path, 'a');
      this.#cut = true;
      this.#log.error({ err: cause }, 'journal not compacted');
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      this.#lag(error);
    }
  }

  #load(): void {
    let text = '';
    try {
      text = readFileSync(this.#path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
    let broken = 0;
    for (const line of text.split('\n')) {
      if (line === '') continue;
      try {
        applyLine(this.#entries, JSON.parse(line) as JournalLine);
      } catch (error) {
        // The last line of a process that was killed while it wrote.
        if (!(error instanceof SyntaxError)) throw error;
        broken++;
      }
    }
    if (broken > 0) this.#log.warn({ lines: broken }, 'journal lines cut off');
  }

  /** The file misses a line from now on. Said once until it is whole again. */
  #lag(error: unknown): void {
    this.#repairAtMs = performance.now() + REPAIR_EVERY_MS;
    if (this.#behind) return;
    this.#behind = true;
    this.#log.error({ err: error }, 'journal cannot be written, calls do not survive this process');
  }

  #compact(): void {
    try {
      const old = this.#file;
      this.#file = this.#rewrite();
      if (old !== null) closeSync(old);
    } catch (error) {
      if (this.#behind) {
        this.#lag(error);
        return;
      }
      this.#log.error({ err: error }, 'journal compaction failed');
      // Try again after as much again.
      this.#compactedBytes = this.#bytes;
      return;
    }
    if (this.#behind) this.#log.info({ calls: this.#entries.size }, 'journal is written again');
    this.#behind = false;
    this.#cut = false;
  }

  /**
   * Writes the live entries to a new file, puts it in the old one's place and returns it, open for appending. The old
   * one stays when that does not work. @throws as fs.writeSync
   */
  #rewrite(): number {
    const lines = this.entries.map((entry) => JSON.stringify({ type: 'entry', entry } satisfies JournalLine));
    const text = lines.map((line) => `${line}\n`).join('');
    const temporary = `${this.#path}.new`;
    const file = this.#disk.open(temporary, 'w');
    try {
      writeAll(this.#disk, file, text);
      renameSync(temporary, this.#path);
    } catch (error) {
      closeSync(file);
      rmSync(temporary, { force: true });
      throw error;
    }
    this.#bytes = text.length;
    this.#compactedBytes = text.length;
    return file;
  }
}
