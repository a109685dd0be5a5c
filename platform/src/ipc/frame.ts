/**
 * A frame on the sockets between our processes: u32le length of the rest, u32le length of the JSON, JSON (UTF-8), then
 * an optional binary body. The peer is always one of our own processes, so a broken frame is a bug and ends the
 * connection.
 */
export const MAX_FRAME_BYTES = 8 * 1024 * 1024;
const PREFIX_BYTES = 8;
const EMPTY = new Uint8Array(0);

/** The frame's bytes up to the body, which is to be written right after. */
export function encodeFrameHead(message: unknown, bodyBytes: number): Buffer {
  const json = JSON.stringify(message);
  const jsonBytes = Buffer.byteLength(json);
  const head = Buffer.allocUnsafe(PREFIX_BYTES + jsonBytes);
  head.writeUInt32LE(4 + jsonBytes + bodyBytes, 0);
  head.writeUInt32LE(jsonBytes, 4);
  head.write(json, PREFIX_BYTES);
  return head;
}

/** Cuts a byte stream into frames. The body handed out is a view that is valid until the next push: copy to keep. */
export class FrameReader {
  #pending: Buffer = Buffer.alloc(0);
  readonly #onFrame: (message: unknown, body: Uint8Array) => void;

  constructor(onFrame: (message: unknown, body: Uint8Array) => void) {
    this.#onFrame = onFrame;
  }

  /** @throws RangeError on a frame that cannot be one of ours. SyntaxError on broken JSON. */
  push(chunk: Buffer): void {
    let bytes = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    while (bytes.length >= PREFIX_BYTES) {
      const length = bytes.readUInt32LE(0);
      const jsonBytes = bytes.readUInt32LE(4);
      if (length > MAX_FRAME_BYTES || jsonBytes + 4 > length) {
        throw new RangeError(`frame of ${length} bytes with ${jsonBytes} bytes of JSON`);
      }
      if (bytes.length < 4 + length) break;
      const jsonEnd = PREFIX_BYTES + jsonBytes;
      const message: unknown = JSON.parse(bytes.toString('utf8', PREFIX_BYTES, jsonEnd));
      const body = jsonEnd === 4 + length ? EMPTY : bytes.subarray(jsonEnd, 4 + length);
      bytes = bytes.subarray(4 + length);
      this.#onFrame(message, body);
    }
    this.#pending = bytes;
  }
}
