import { mkdir, open, readFile, rename, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Log } from '../log.ts';
import { readRecord, type DialogRecord } from './record.ts';

/** More lines than four for each live dialog and these start a compaction; so does the end of the last call. */
const COMPACT_ABOVE = 2000;

type Line = { readonly put: DialogRecord } | { readonly del: string };

/** Reads the file's lines; a last line cut short by a crash, or damaged ones, are skipped. */
export function replay(text: string): { dialogs: Map<string, DialogRecord>; lines: number; damaged: number } {
  const dialogs = new Map<string, DialogRecord>();
  let lines = 0;
  let damaged = 0;
  for (const line of text.split('\n')) {
    if (line === '') continue;
    lines++;
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      damaged++;
      continue;
    }
    const entry = (value ?? {}) as { put?: unknown; del?: unknown };
    const record = readRecord(entry.put);
    if (record !== undefined) dialogs.set(record.id, record);
    else if (typeof entry.del === 'string') dialogs.delete(entry.del);
    else damaged++;
  }
  return { dialogs, lines, damaged };
}

/**
 * The dialog table on disk: one JSON line for each change, written behind in batches and rewritten when it has
 * grown. Not synced: it is to outlive this process, not a power failure.
 */
export class DialogFile {
  readonly #path: string;
  readonly #log: Log;
  readonly #current: (id: string) => DialogRecord | undefined;
  readonly #all: () => Iterable<DialogRecord>;
  readonly #dirty = new Set<string>();
  /** Ids of which the file holds a record. */
  readonly #written: Set<string>;
  #handle: FileHandle;
  #lines: number;
  #work: Promise<void> | undefined;
  #closed = false;
  #rewrite = false;
  #failing = false;

  /** Loads the records and opens the file for writing. `current` and `all` give the live records later. */
  static async open(
    path: string,
    log: Log,
    current: (id: string) => DialogRecord | undefined,
    all: () => Iterable<DialogRecord>,
  ): Promise<{ file: DialogFile; records: DialogRecord[] }> {
    await mkdir(dirname(path), { recursive: true });
    const text = await readFile(path, 'utf8').catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
      throw error;
    });
    const { dialogs, lines, damaged } = replay(text);
    if (damaged > 0) log.warn({ damaged }, 'dialog file has unreadable lines');
    const handle = await open(path, 'a', 0o600);
    // A line cut short must not swallow the next one.
    if (text !== '' && !text.endsWith('\n')) await handle.appendFile('\n');
    const file = new DialogFile(path, log, current, all, handle, lines, new Set(dialogs.keys()));
    return { file, records: [...dialogs.values()] };
  }

  private constructor(
    path: string,
    log: Log,
    current: (id: string) => DialogRecord | undefined,
    all: () => Iterable<DialogRecord>,
    handle: FileHandle,
    lines: number,
    written: Set<string>,
  ) {
    this.#path = path;
    this.#log = log;
    this.#current = current;
    this.#all = all;
    this.#handle = handle;
    this.#lines = lines;
    this.#written = written;
  }

  /** Notes that a dialog was made, changed or ended; it is written soon after. */
  touch(id: string): void {
    this.#dirty.add(id);
    if (this.#work === undefined && !this.#closed) this.#work = this.#drain();
  }

  async #drain(): Promise<void> {
    // Lets everything that happens in this turn of the loop go into one write.
    await new Promise((resolve) => setImmediate(resolve));
    try {
      while (this.#dirty.size > 0 || this.#rewrite) {
        const batch = this.#takeBatch();
        if (batch !== '') await this.#handle.appendFile(batch);
        if (this.#rewrite || this.#hasGrown()) await this.#compact();
      }
      if (this.#failing) this.#log.info({}, 'dialog file can be written again');
      this.#failing = false;
    } catch (error) {
      if (!this.#failing) this.#log.error({ err: error }, 'dialog file could not be written');
      this.#failing = true;
    }
    // What a failed write lost is made up for at the next change.
    this.#rewrite = this.#failing;
    this.#work = undefined;
  }

  /** Ended calls name their parties: they are not kept longer than the live ones need. */
  #hasGrown(): boolean {
    const live = this.#written.size;
    return live === 0 ? this.#lines > 0 : this.#lines > COMPACT_ABOVE + 4 * live;
  }

  /** Rewrites the file with the live dialogs only, if it holds anything else. */
  tidy(): void {
    if (this.#lines === this.#written.size || this.#closed) return;
    this.#rewrite = true;
    this.#work ??= this.#drain();
  }

  #takeBatch(): string {
    let batch = '';
    for (const id of this.#dirty) {
      const record = this.#current(id);
      if (record === undefined && !this.#written.delete(id)) continue;
      if (record !== undefined) this.#written.add(id);
      const line: Line = record === undefined ? { del: id } : { put: record };
      batch += JSON.stringify(line) + '\n';
      this.#lines++;
    }
    this.#dirty.clear();
    return batch;
  }

  async #compact(): Promise<void> {
    const next = `${this.#path}.new`;
    const handle = await open(next, 'w', 0o600);
    let text = '';
    let lines = 0;
    this.#dirty.clear();
    this.#written.clear();
    for (const record of this.#all()) {
      text += JSON.stringify({ put: record } satisfies Line) + '\n';
      this.#written.add(record.id);
      lines++;
    }
    try {
      await handle.appendFile(text);
      await rename(next, this.#path);
    } catch (error) {
      await handle.close();
      throw error;
    }
    await this.#handle.close();
    this.#handle = handle;
    this.#lines = lines;
    this.#rewrite = false;
  }

  /** Resolves when everything noted so far is written. */
  async flush(): Promise<void> {
    await this.#work;
    if (this.#dirty.size > 0) await this.#drain();
  }

  /** Writes what is left and closes the file. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.flush();
    await this.#handle.close();
  }
}
