/** Frames of the drachtio wire protocol: `<N>#<payload>`, N the payload's length in bytes, in decimal. */

export interface FrameLimits {
  /** Longest payload in bytes. */
  readonly payloadBytes: number;
}

/** The real server is unsafe above 4 kB; a SIPREC answer or metadata can be far larger. */
export const FRAME_LIMITS: FrameLimits = { payloadBytes: 2 * 1024 * 1024 };

const HASH = 0x23;
const EMPTY = Buffer.alloc(0);

/** Writes one frame. `head` is a byte string. */
export function encodeFrame(head: string, rest: Buffer = EMPTY): Buffer {
  const length = `${head.length + rest.length}#`;
  const bytes = Buffer.allocUnsafe(length.length + head.length + rest.length);
  bytes.write(length, 0, 'latin1');
  bytes.write(head, length.length, 'latin1');
  rest.copy(bytes, length.length + head.length);
  return bytes;
}

/** Cuts a byte stream into payloads. Chunks may be split anywhere, and hold any number of frames. */
export class FrameDecoder {
  #limit: number;
  #length = 0;
  #digits = 0;
  #inPayload = false;
  #chunks: Buffer[] = [];
  #held = 0;
  #broken = false;

  constructor(limits: FrameLimits = FRAME_LIMITS) {
    this.#limit = limits.payloadBytes;
  }

  setLimit(payloadBytes: number): void {
    this.#limit = payloadBytes;
  }

  /** True after a malformed or too large length: the stream is lost. */
  get broken(): boolean {
    return this.#broken;
  }

  /** Takes bytes and hands each complete payload to `take`; stops when the stream is broken. */
  push(chunk: Buffer, take: (payload: Buffer) => void): void {
    let at = 0;
    while (at < chunk.length && !this.#broken) {
      if (!this.#inPayload) {
        this.#readLength(chunk[at++] ?? 0);
        continue;
      }
      const part = chunk.subarray(at, at + this.#length - this.#held);
      at += part.length;
      this.#held += part.length;
      if (this.#held < this.#length) {
        this.#chunks.push(part);
        return;
      }
      const payload = this.#chunks.length === 0 ? part : Buffer.concat([...this.#chunks, part]);
      this.#chunks = [];
      this.#held = 0;
      this.#length = 0;
      this.#digits = 0;
      this.#inPayload = false;
      take(payload);
    }
  }

  #readLength(byte: number): void {
    if (byte === HASH && this.#digits > 0 && this.#length > 0) {
      this.#inPayload = true;
      return;
    }
    if (byte < 0x30 || byte > 0x39 || ++this.#digits > 9) {
      this.#broken = true;
      return;
    }
    this.#length = this.#length * 10 + byte - 0x30;
    if (this.#length > this.#limit) this.#broken = true;
  }
}
