/** A reading of /metrics: the text format, summed over labels that are not asked for. */
export class Reading {
  readonly #samples: { name: string; labels: string; value: number }[] = [];

  constructor(text: string) {
    for (const line of text.split('\n')) {
      const found = /^([a-zA-Z_:][\w:]*)(\{.*\})? (\S+)/.exec(line);
      if (found !== null)
        this.#samples.push({ name: found[1] ?? '', labels: found[2] ?? '', value: Number(found[3]) });
    }
  }

  /** The sum of all samples of that name whose labels contain the text. */
  sum(name: string, labelText = ''): number {
    return this.#matching(name, labelText).reduce((total, sample) => total + sample.value, 0);
  }

  max(name: string, labelText = ''): number {
    return Math.max(0, ...this.#matching(name, labelText).map((sample) => sample.value));
  }

  #matching(name: string, labelText: string): { value: number }[] {
    return this.#samples.filter((sample) => sample.name === name && sample.labels.includes(labelText));
  }
}

/** @param p 0..1 @returns null for an empty list */
export function percentile(values: readonly number[], p: number): number | null {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(p * sorted.length) - 1)] ?? null;
}
