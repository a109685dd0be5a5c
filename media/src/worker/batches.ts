/** Enough at once to keep the disk busy, few enough for the open-files limit. */
const BATCH = 32;

/** Works on all items, some at once. @returns the results in order */
export async function inBatches<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let i = 0; i < items.length; i += BATCH) {
    results.push(...(await Promise.all(items.slice(i, i + BATCH).map(work))));
  }
  return results;
}
