/** Seeded random bytes and damage to packets, for the fuzzers. Not for keys. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 32 bits (a Weyl sequence, mixed as MurmurHash3 ends). */
  next(): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    let x = this.#state;
    x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
    return (x ^ (x >>> 16)) >>> 0;
  }

  /** 0 to limit - 1. */
  below(limit: number): number {
    return this.next() % limit;
  }

  fill(bytes: Uint8Array): void {
    for (let i = 0; i < bytes.length; i++) bytes[i] = this.next();
  }
}

const INTERESTING = [0, 1, 0x7f, 0x80, 0x81, 0xc8, 0xff];

/** A damaged copy of packet: bits and bytes changed, cut, lengthened, a piece moved, or nothing of it left. May be empty. */
export function mutate(packet: Uint8Array, random: Random): Uint8Array<ArrayBuffer> {
  switch (random.below(6)) {
    case 0: {
      const cut = packet.slice(0, random.below(packet.length + 1));
      return cut;
    }
    case 1: {
      const longer = new Uint8Array(packet.length + 1 + random.below(64));
      random.fill(longer);
      longer.set(packet);
      return longer;
    }
    case 2: {
      const junk = new Uint8Array(random.below(200));
      random.fill(junk);
      if (junk.length > 0 && random.below(2) === 0) junk[0] = 0x80 | (junk[0]! & 0x3f);
      return junk;
    }
    case 3: {
      const moved = packet.slice();
      const length = random.below(moved.length + 1);
      moved.copyWithin(random.below(moved.length + 1), random.below(moved.length + 1), length);
      return moved;
    }
    default: {
      const changed = packet.slice();
      for (let n = 1 + random.below(4); n > 0 && changed.length > 0; n--) {
        // Headers are short: half of the changes go there.
        const at = random.below(random.below(2) === 0 ? Math.min(16, changed.length) : changed.length);
        changed[at] =
          random.below(2) === 0
            ? changed[at]! ^ (1 << random.below(8))
            : INTERESTING[random.below(INTERESTING.length)]!;
      }
      return changed;
    }
  }
}
