/** The value below which a share (0..1) of the values lies, by nearest rank; null of none. */
export function quantile(values: readonly number[], share: number): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? null;
}

/** Null of none; of an even number of values the mean of the two in the middle. */
export function median(values: readonly number[]): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[sorted.length >> 1];
  if (upper === undefined) return null;
  return sorted.length % 2 === 1 ? upper : (upper + sorted[(sorted.length >> 1) - 1]!) / 2;
}

export const round = (value: number | null, digits = 0): number | null =>
  value === null || !Number.isFinite(value) ? null : Number(value.toFixed(digits));

/** Milliseconds, whole. */
export const percentiles = (values: readonly number[]) => ({
  count: values.length,
  p50: round(quantile(values, 0.5)),
  p90: round(quantile(values, 0.9)),
  p95: round(quantile(values, 0.95)),
});
