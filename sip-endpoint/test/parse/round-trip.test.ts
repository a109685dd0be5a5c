import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { serialize } from '../../src/parse/build.ts';
import { StreamFramer, type StreamEvent } from '../../src/parse/framing.ts';
import { parseMessage } from '../../src/parse/parse.ts';
import { sipBytes, sipMessage } from '../support/arbitrary.ts';

describe('reading and writing', () => {
  it('gives back any well-formed message, with bodies of any bytes', () => {
    fc.assert(
      fc.property(sipMessage, (message) => {
        const result = parseMessage(serialize(message));
        if (!result.ok) throw new Error(result.fault.reason);
        const { headers, ...fields } = result.message;
        const { headers: expected, ...expectedFields } = message;
        expect(fields).toEqual(expectedFields);
        expect(headers.filter((header) => header.key !== 'content-length')).toEqual(expected);
      }),
      { numRuns: 500 },
    );
  });

  it('writes the same bytes again once it has written a message', () => {
    fc.assert(
      fc.property(sipBytes, (bytes) => {
        const first = parseMessage(bytes);
        if (!first.ok) throw new Error(first.fault.reason);
        expect(serialize(first.message).equals(bytes)).toBe(true);
      }),
    );
  });

  it('never throws on any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        const result = parseMessage(Buffer.from(bytes));
        if (result.ok) expect(result.message.callId).not.toBe('');
        else expect(result.fault.sipStatus).toBeGreaterThanOrEqual(400);
      }),
    );
  });
});

/** Cuts bytes at the given fractions. */
function cut(bytes: Buffer, fractions: readonly number[]): Buffer[] {
  const at = fractions.map((f) => Math.floor(f * bytes.length)).sort((a, b) => a - b);
  return [0, ...at].map((start, i) => bytes.subarray(start, at[i] ?? bytes.length));
}

const pushAll = (chunks: readonly Buffer[]): StreamEvent[] => {
  const framer = new StreamFramer();
  return chunks.flatMap((chunk) => framer.push(chunk));
};

describe('a stream', () => {
  it('gives the same messages wherever it is split', () => {
    const fractions = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 8 });
    fc.assert(
      fc.property(fc.array(sipBytes, { minLength: 1, maxLength: 4 }), fractions, (messages, where) => {
        const stream = Buffer.concat(messages);
        const events = pushAll(cut(stream, where));
        expect(events.length).toBe(messages.length);
        events.forEach((event, i) => {
          if (event.kind !== 'message' || !event.result.ok) throw new Error('not a message');
          expect(serialize(event.result.message).equals(messages[i] ?? Buffer.alloc(0))).toBe(true);
        });
      }),
      { numRuns: 300 },
    );
  });

  it('survives being fed one byte at a time, with pings between the messages', () => {
    fc.assert(
      fc.property(sipBytes, (bytes) => {
        const stream = Buffer.concat([Buffer.from('\r\n\r\n'), bytes, Buffer.from('\r\n\r\n'), bytes]);
        const events = pushAll([...stream].map((byte) => Buffer.from([byte])));
        expect(events.map((event) => event.kind)).toEqual(['ping', 'message', 'ping', 'message']);
      }),
      { numRuns: 50 },
    );
  });

  it('takes a single empty line between messages for nothing', () => {
    const [bytes] = fc.sample(sipBytes, 1);
    const stream = Buffer.concat([bytes ?? Buffer.alloc(0), Buffer.from('\r\n'), bytes ?? Buffer.alloc(0)]);
    expect(pushAll([stream]).map((event) => event.kind)).toEqual(['message', 'message']);
  });

  it('never throws on any chunks, and says nothing more once it is broken', () => {
    const chunk = fc.oneof(
      fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
      fc
        .constantFrom('\r\n', '\r\n\r\n', 'INVITE sip:a SIP/2.0', 'l: 5', ': ', 'Content-Length: 9')
        .map((s) => Buffer.from(s)),
    );
    fc.assert(
      fc.property(fc.array(chunk, { maxLength: 12 }), (chunks) => {
        const events = pushAll(chunks);
        const broken = events.findIndex((event) => event.kind === 'broken');
        expect(broken === -1 || broken === events.length - 1).toBe(true);
      }),
    );
  });
});
