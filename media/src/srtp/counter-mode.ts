import { createCipheriv, type Cipheriv } from 'node:crypto';

const BLOCK_BYTES = 16;
/** Packets whose key stream is made in one call. More than four gains little (measured: 0.30 microseconds a packet, 0.22 with 32). */
const AHEAD = 4;
/** Beyond this a packet costs more than a call: no looking ahead. */
const AHEAD_BLOCKS = 32;

/** The key stream of a stream's next packets. One for each stream; it belongs to the key that filled it last. */
export class KeystreamCache {
  owner: CounterMode | null = null;
  /** Index of the first packet that it is for. */
  first = 0;
  /** Blocks for each packet. */
  blocks = 0;
  packets = 0;
  bytes: Uint8Array = new Uint8Array(0);
}

/**
 * AES in counter mode (RFC 3711 section 4.1.1). One AES-ECB cipher is kept open for the key's life and encrypts counter blocks; a
 * cipher in counter mode would have to be made anew for each packet, which costs 1.8 microseconds.
 */
export class CounterMode {
  readonly #cipher: Cipheriv;
  readonly #salt: readonly [number, number, number, number];
  #counters = Buffer.alloc(AHEAD * 12 * BLOCK_BYTES);

  /** @param key 16 or 32 bytes @param salt 14 bytes */
  constructor(key: Uint8Array, salt: Uint8Array) {
    this.#cipher = createCipheriv(key.length === 32 ? 'aes-256-ecb' : 'aes-128-ecb', key, null);
    this.#cipher.setAutoPadding(false);
    const padded = Buffer.alloc(BLOCK_BYTES);
    padded.set(salt);
    this.#salt = [0, 4, 8, 12].map((at) => padded.readUInt32BE(at)) as [number, number, number, number];
  }

  /**
   * Encrypts or decrypts bytes[start..end) in place.
   * @param index of the packet, 48 bits (RTP) or 31 (RTCP)
   */
  apply(
    bytes: Uint8Array,
    start: number,
    end: number,
    ssrc: number,
    index: number,
    cache: KeystreamCache,
  ): void {
    const length = end - start;
    if (length === 0) return;
    const blocks = Math.ceil(length / BLOCK_BYTES);
    const ahead = index - cache.first;
    if (cache.owner !== this || ahead < 0 || ahead >= cache.packets || blocks > cache.blocks) {
      this.#fill(ssrc, index, blocks, blocks > AHEAD_BLOCKS ? 1 : AHEAD, cache);
    }
    const stream = cache.bytes;
    const offset = (index - cache.first) * cache.blocks * BLOCK_BYTES;
    for (let i = 0; i < length; i++) bytes[start + i] = bytes[start + i]! ^ stream[offset + i]!;
  }

  #fill(ssrc: number, index: number, blocks: number, packets: number, cache: KeystreamCache): void {
    const size = packets * blocks * BLOCK_BYTES;
    if (this.#counters.length < size) this.#counters = Buffer.alloc(size);
    const counters = this.#counters;
    const [s0, s1, s2, s3] = this.#salt;
    let at = 0;
    for (let packet = 0; packet < packets; packet++) {
      const low = (index + packet) % 0x10000;
      const high = Math.floor((index + packet) / 0x10000);
      for (let block = 0; block < blocks; block++) {
        counters.writeUInt32BE(s0, at);
        counters.writeUInt32BE((s1 ^ ssrc) >>> 0, at + 4);
        counters.writeUInt32BE((s2 ^ high) >>> 0, at + 8);
        counters.writeUInt32BE((s3 ^ ((low << 16) | block)) >>> 0, at + 12);
        at += BLOCK_BYTES;
      }
    }
    cache.bytes = this.#cipher.update(counters.subarray(0, size));
    cache.owner = this;
    cache.first = index;
    cache.blocks = blocks;
    cache.packets = packets;
  }
}
