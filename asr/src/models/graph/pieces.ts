/** Writing protobuf messages of which most bytes are somewhere else: they are copied once, when the whole is put together. */
import type { ByteSource } from '../protobuf.ts';

/** Bytes of the file that are carried over as they are, from `begin` to before `end`. */
export interface Stretch {
  readonly begin: number;
  readonly end: number;
}

export type Piece = Uint8Array | Stretch;

const WIRE_VARINT = 0;
const WIRE_LENGTH_DELIMITED = 2;

const isBytes = (piece: Piece): piece is Uint8Array => piece instanceof Uint8Array;

export const lengthOf = (pieces: readonly Piece[]): number =>
  pieces.reduce((sum, piece) => sum + (isBytes(piece) ? piece.length : piece.end - piece.begin), 0);

/** Negative numbers are 64-bit two's complement. */
function varint(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = BigInt.asUintN(64, BigInt(value)); ; rest >>= 7n) {
    if (rest < 128n) return [...bytes, Number(rest)];
    bytes.push(Number(rest & 127n) | 0x80);
  }
}

export const integerField = (number: number, value: number): Uint8Array =>
  Uint8Array.from([...varint(number * 8 + WIRE_VARINT), ...varint(value)]);

export const messageField = (number: number, body: readonly Piece[]): Piece[] => [
  Uint8Array.from([...varint(number * 8 + WIRE_LENGTH_DELIMITED), ...varint(lengthOf(body))]),
  ...body,
];

export const textField = (number: number, value: string): Piece[] =>
  messageField(number, [Buffer.from(value)]);

/** @returns the pieces one after the other, with what the file has in its stretches */
export function assemble(pieces: readonly Piece[], source: ByteSource): Uint8Array {
  const whole = new Uint8Array(lengthOf(pieces));
  let at = 0;
  const copy = ({ begin, end }: Stretch): void => {
    for (let from = begin; from < end;) {
      const count = source.read(from, whole.subarray(at, at + end - from));
      if (count === 0) throw new RangeError(`the file ended at byte ${from} while it was read`);
      at += count;
      from += count;
    }
  };
  // Neighbouring stretches are one: a network has thousands of nodes that stay as they are.
  let run: Stretch = { begin: 0, end: 0 };
  for (const piece of pieces) {
    if (!isBytes(piece) && piece.begin === run.end) {
      run = { begin: run.begin, end: piece.end };
      continue;
    }
    copy(run);
    run = { begin: 0, end: 0 };
    if (isBytes(piece)) {
      whole.set(piece, at);
      at += piece.length;
    } else run = piece;
  }
  copy(run);
  return whole;
}
