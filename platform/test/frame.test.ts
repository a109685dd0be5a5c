import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeFrame, FrameReader, MAX_FRAME_BYTES } from '../src/ipc/frame.ts';

function cut(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const pieces: Buffer[] = [];
  let at = 0;
  for (let i = 0; at < bytes.length; i++) {
    const size = Math.max(1, sizes[i % sizes.length] ?? 1);
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return pieces;
}

test('frames come out whole and in order however the stream is cut', () => {
  const frame = fc.record({ message: fc.jsonValue(), body: fc.uint8Array({ maxLength: 300 }) });
  fc.assert(
    fc.property(
      fc.array(frame, { maxLength: 20 }),
      fc.array(fc.nat(97), { minLength: 1 }),
      (frames, sizes) => {
        const bytes = Buffer.concat(frames.map(({ message, body }) => encodeFrame(message, body)));
        const seen: unknown[] = [];
        const reader = new FrameReader((message, body) =>
          seen.push({ message, body: Uint8Array.from(body) }),
        );
        for (const piece of cut(bytes, sizes)) reader.push(piece);
        const sent = JSON.parse(JSON.stringify(frames.map((f) => f.message))) as unknown[];
        expect(seen).toEqual(sent.map((message, i) => ({ message, body: frames[i]?.body })));
      },
    ),
  );
});

test('a length beyond the limit is refused before anything is kept', () => {
  const reader = new FrameReader(() => undefined);
  const head = Buffer.alloc(8);
  head.writeUInt32LE(MAX_FRAME_BYTES + 1, 0);
  expect(() => reader.push(head)).toThrow(RangeError);
});

test('a JSON length beyond its frame is refused', () => {
  const reader = new FrameReader(() => undefined);
  const head = Buffer.alloc(8);
  head.writeUInt32LE(10, 0);
  head.writeUInt32LE(11, 4);
  expect(() => reader.push(head)).toThrow(RangeError);
});
