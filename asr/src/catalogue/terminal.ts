/** What a person sees: lines, tables, a line of progress. With --json one object at the end and nothing else. */
export class Terminal {
  readonly json: boolean;
  readonly #out: NodeJS.WriteStream;
  #progressShown = false;
  #lastProgressMs = 0;
  #lastProgress = '';

  constructor(json: boolean, out: NodeJS.WriteStream = process.stdout) {
    this.json = json;
    this.#out = out;
  }

  say(text: string): void {
    if (this.json) return;
    this.#endProgress();
    this.#out.write(`${text}\n`);
  }

  /** Replaces itself on a terminal; elsewhere a line every ten seconds. */
  progress(text: string, nowMs = performance.now()): void {
    if (this.json || text === this.#lastProgress) return;
    const everyMs = this.#out.isTTY ? 200 : 10_000;
    if (nowMs - this.#lastProgressMs < everyMs) return;
    this.#lastProgressMs = nowMs;
    this.#lastProgress = text;
    this.#out.write(this.#out.isTTY ? `\r\x1b[K  ${text}` : `  ${text}\n`);
    this.#progressShown = this.#out.isTTY;
  }

  /** The result for machines. */
  result(value: unknown): void {
    if (this.json) this.#out.write(`${JSON.stringify(value)}\n`);
  }

  table(head: readonly string[], rows: readonly (readonly string[])[]): void {
    for (const line of tableLines(head, rows)) this.say(line);
  }

  #endProgress(): void {
    if (this.#progressShown) this.#out.write('\r\x1b[K');
    this.#progressShown = false;
  }
}

/** Columns as wide as their widest cell; the last one as it is. */
export function tableLines(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const all = [head, ...rows];
  const widths = head.map((_, i) => Math.max(...all.map((row) => (row[i] ?? '').length)));
  return all.map((row) =>
    row
      .map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}

export function sizeText(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(2)} GB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
