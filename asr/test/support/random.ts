/** Seeded numbers (mulberry32): the same on every machine. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 0 ≤ x < 1 */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  /** Normal, of deviation `scale`. */
  normal(scale = 1): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.next()));
    return scale * radius * Math.cos(2 * Math.PI * this.next());
  }

  normals(count: number, scale: number): Float32Array {
    return Float32Array.from({ length: count }, () => this.normal(scale));
  }
}
