/** @returns the index of the largest of `count` values from `from` on, the first of equals */
export function largest(values: Float32Array, from: number, count: number): number {
  let best = 0;
  let top = values[from]!;
  for (let k = 1; k < count; k++) {
    const value = values[from + k]!;
    if (value > top) {
      top = value;
      best = k;
    }
  }
  return best;
}

/** @returns the natural log-probability of the largest logit, `top`, under a softmax over `count` logits from `from` on */
export function logProbabilityOfTop(logits: Float32Array, from: number, count: number, top: number): number {
  let sum = 0;
  for (let k = 0; k < count; k++) sum += Math.exp(logits[from + k]! - top);
  return -Math.log(sum);
}
