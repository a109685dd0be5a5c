import { closeSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { EarshotError, type CallId } from '@earshot/contracts';
import type { Log } from '@earshot/platform';
import { applyLine, type JournalEntry, type JournalLine } from './record.ts';

const COMPACT_ABOVE_BYTES = 4 * 1024 * 1024;
/** Compact when the file is this many times what its live entries take. */
const COMPACT_RATIO = 4;

/**
 * The call table on disk: one JSON value a line, appended. It is for the death of this process, which the page cache
 * survives, so there is no fsync. Writes are synchronous: a line of one or two kB takes some 20 µs, and a call must be on
 * record before its 200 goes out.
 */
export class Journal {
  readonly #path: string;
  readonly #log: Log;
  readonly #entries = new Map<CallId, JournalEntry>();
  #file: number;
  #bytes = 0;
  #compactedBytes = 0;

  /** @throws EarshotError DATA_DIR_UNUSABLE */
  constructor(folder: string, log: Log) {
    this.#path = join(folder, 'calls.jsonl');
    this.#log = log;
    try {
      mkdirSync(folder, { recursive: true });
      this.#load();
      this.#file = this.#rewrite();
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
    const text = `${JSON.stringify(line)}\n`;
    try {
      writeSync(this.#file, text);
    } catch (error) {
      // A full disk must not end calls: they go on, and only their survival of this process is lost.
      this.#log.error({ err: error }, 'journal write failed');
      return;
    }
    this.#bytes += text.length;
    if (this.#bytes > COMPACT_ABOVE_BYTES && this.#bytes > this.#compactedBytes * COMPACT_RATIO)
      this.#compact();
  }

  close(): void {
    closeSync(this.#file);
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

  #compact(): void {
    try {
      const old = this.#file;
      this.#file = this.#rewrite();
      closeSync(old);
    } catch (error) {
      this.#log.error({ err: error }, 'journal compaction failed');
      // Try again after as much again.
      this.#compactedBytes = this.#bytes;
    }
  }

  /** Writes the live entries to a new file, puts it in the old one's place and returns it, open for appending. */
  #rewrite(): number {
    const lines = this.entries.map((entry) => JSON.stringify({ type: 'entry', entry } satisfies JournalLine));
    const text = lines.map((line) => `${line}\n`).join('');
    const temporary = `${this.#path}.new`;
    const file = openSync(temporary, 'w');
    if (text !== '') writeSync(file, text);
    renameSync(temporary, this.#path);
    this.#bytes = text.length;
    this.#compactedBytes = text.length;
    return file;
  }
}
