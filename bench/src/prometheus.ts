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

  /** Values of that name by a label, those without it left out. */
  byLabel(name: string, label: string): Record<string, number> {
    const values: Record<string, number> = {};
    for (const { labels, value } of this.#matching(name, `${label}="`)) {
      const key = new RegExp(`[{,]${label}="([^"]*)"`).exec(labels)?.[1];
      if (key !== undefined) values[key] = (values[key] ?? 0) + value;
    }
    return values;
  }

  /**
   * The upper end of the bucket in which the p-th of a histogram's observations lies.
   * @param p 0..1 @returns null when there were none; Infinity beyond the last bucket
   */
  quantile(name: string, p: number): number | null {
    const counts = new Map<number, number>();
    for (const { labels, value } of this.#matching(`${name}_bucket`, 'le="')) {
      const le = Number((/le="([^"]+)"/.exec(labels)?.[1] ?? '').replace('+Inf', 'Infinity'));
      counts.set(le, (counts.get(le) ?? 0) + value);
    }
    const total = counts.get(Infinity) ?? 0;
    if (total === 0) return null;
    return Math.min(...[...counts].filter(([, count]) => count >= p * total).map(([le]) => le));
  }

  #matching(name: string, labelText: string): { labels: string; value: number }[] {
    return this.#samples.filter((sample) => sample.name === name && sample.labels.includes(labelText));
  }
}
