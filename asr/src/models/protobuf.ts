/** Reading protobuf messages field by field, bodies unread: what a file of 600 MB of weights says is found in a few reads. */

/** Random access to a file's bytes. */
export interface ByteSource {
  readonly length: number;
  /** Fills an array with the bytes from `at` on. @returns how many there were, as many as it holds or fewer */
  read(at: number, into: Uint8Array): number;
}

/** A file in memory. */
export const bytesSource = (bytes: Uint8Array): ByteSource => ({
  length: bytes.length,
  read: (at, into) => {
    const there = bytes.subarray(at, at + into.length);
    into.set(there);
    return there.length;
  },
});

/** The bytes are no protobuf, or no ONNX network; the message says where. */
export class BrokenOnnx extends Error {}

/** Kinds of fields. */
export const WIRE = { varint: 0, lengthDelimited: 2, fixed32: 5 } as const;

export interface Field {
  readonly number: number;
  readonly wire: number;
  /** Where the field begins, with its number. */
  readonly at: number;
  /** Of its body. */
  readonly begin: number;
  readonly end: number;
  /** Of a varint; beyond 2^53 it has lost its low bits. */
  readonly value: number;
}

const WINDOW = 64 * 1024;
/** A text, a metadata value or a tensor's description that is longer is not one. */
const MOST_BYTES = 4 * 1024 * 1024;

/** Every method throws BrokenOnnx when the bytes break off or mean nothing. */
export class FieldReader {
  readonly #source: ByteSource;
  readonly #window = new Uint8Array(WINDOW);
  #windowAt = 0;
  /** Bytes in the window. */
  #held = 0;

  constructor(source: ByteSource) {
    this.#source = source;
  }

  /** The fields of a message, bodies unread. */
  *fields(begin: number, end: number): Generator<Field> {
    let at = begin;
    while (at < end) {
      const tag = this.varint(at, end);
      const wire = tag.value % 8;
      const number = Math.floor(tag.value / 8);
      if (number === 0) throw new BrokenOnnx(`byte ${at} begins no field`);
      let body = tag.end;
      let value = 0;
      let next: number;
      if (wire === WIRE.varint) ({ value, end: next } = this.varint(body, end));
      else if (wire === 1) next = body + 8;
      else if (wire === WIRE.fixed32) next = body + 4;
      else if (wire === WIRE.lengthDelimited) {
        const length = this.varint(body, end);
        body = length.end;
        next = body + length.value;
      } else throw new BrokenOnnx(`byte ${at} begins a field of unknown kind ${wire}`);
      if (next > end)
        throw new BrokenOnnx(`it breaks off: the field at byte ${at} goes on to byte ${next} of ${end}`);
      yield { number, wire, at, begin: body, end: next, value };
      at = next;
    }
  }

  /** Values beyond 2^53 (negative ones are such) lose their low bits: who wants those asks for signed(). */
  varint(at: number, end: number): { value: number; end: number } {
    let value = 0;
    let scale = 1;
    for (let i = at; i < at + 10; i++) {
      if (i >= end) throw new BrokenOnnx(`it breaks off at byte ${end}`);
      const byte = this.#byte(i);
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return { value, end: i + 1 };
      scale *= 128;
    }
    throw new BrokenOnnx(`byte ${at} begins a number that does not end`);
  }

  /** An int64 in two's complement. */
  signed(at: number, end: number): { value: number; end: number } {
    let value = 0n;
    for (let i = at; i < at + 10; i++) {
      if (i >= end) throw new BrokenOnnx(`it breaks off at byte ${end}`);
      const byte = this.#byte(i);
      value |= BigInt(byte & 0x7f) << BigInt(7 * (i - at));
      if (byte < 0x80) return { value: Number(BigInt.asIntN(64, value)), end: i + 1 };
    }
    throw new BrokenOnnx(`byte ${at} begins a number that does not end`);
  }

  text(field: Field): string {
    return Buffer.from(this.bytes(field)).toString('utf8');
  }

  /** The body of a field of at most 4 MiB; it holds until something else is read. */
  bytes(field: Field): Uint8Array {
    const count = field.end - field.begin;
    if (count > MOST_BYTES) throw new BrokenOnnx(`the text at byte ${field.begin} has ${count} bytes`);
    const within = field.begin - this.#windowAt;
    if (within >= 0 && within + count <= this.#held) return this.#window.subarray(within, within + count);
    const bytes = new Uint8Array(Math.max(0, Math.min(count, this.#source.length - field.begin)));
    return bytes.subarray(0, this.#source.read(field.begin, bytes));
  }

  #byte(at: number): number {
    const within = at - this.#windowAt;
    if (within >= 0 && within < this.#held) return this.#window[within]!;
    this.#windowAt = at;
    this.#held = this.#source.read(at, this.#window);
    if (this.#held === 0) throw new BrokenOnnx(`it breaks off at byte ${at}`);
    return this.#window[0]!;
  }
}
