const FIRST_CAPACITY = 8192;

/**
 * A queue of 16-bit samples. Positions count samples since its beginning, for as long as a channel lives: safe integers, of
 * which `&` takes the low bits rightly beyond 2^32 too.
 */
export class PcmRing {
  #samples = new Int16Array(FIRST_CAPACITY);
  #bytes = new Uint8Array(this.#samples.buffer);
  #read = 0;
  #written: number;

  /** @param zeros samples of silence that it begins with, fewer than 8192 */
  constructor(zeros: number) {
    this.#written = zeros;
  }

  get read(): number {
    return this.#read;
  }

  get written(): number {
    return this.#written;
  }

  /** Drops what comes before a position. */
  skipTo(position: number): void {
    this.#read = position;
  }

  /** @param body PCM s16le, anywhere in memory (as is every machine that onnxruntime-node runs on) */
  write(body: Uint8Array): void {
    const count = body.length >> 1;
    this.#reserve(count);
    const capacity = this.#samples.length;
    const at = this.#written & (capacity - 1);
    const first = Math.min(count, capacity - at);
    // Bytes, not samples: a frame's body begins at any address. As copies of memory these two cost a fifth of a loop.
    this.#bytes.set(body.subarray(0, 2 * first), 2 * at);
    if (count > first) this.#bytes.set(body.subarray(2 * first, 2 * count), 0);
    this.#written += count;
  }

  /** Takes samples out. @param count as many as there are at most */
  take(into: Int16Array, offset: number, count: number): void {
    const capacity = this.#samples.length;
    const at = this.#read & (capacity - 1);
    const first = Math.min(count, capacity - at);
    into.set(this.#samples.subarray(at, at + first), offset);
    if (count > first) into.set(this.#samples.subarray(0, count - first), offset + first);
    this.#read += count;
  }

  #reserve(count: number): void {
    const held = this.#written - this.#read;
    if (held + count <= this.#samples.length) return;
    let capacity = this.#samples.length;
    while (capacity < held + count) capacity *= 2;
    const grown = new Int16Array(capacity);
    const read = this.#read;
    // Oldest first: into the place that its position has in the larger ring.
    for (let position = read; position < this.#written;) {
      const from = position & (this.#samples.length - 1);
      const to = position & (capacity - 1);
      const run = Math.min(this.#written - position, this.#samples.length - from, capacity - to);
      grown.set(this.#samples.subarray(from, from + run), to);
      position += run;
    }
    this.#samples = grown;
    this.#bytes = new Uint8Array(grown.buffer);
  }
}
