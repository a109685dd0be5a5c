import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAppMessage, parseCommand } from '../../src/wire/command.ts';
import { encodeFrame, FrameDecoder } from '../../src/wire/frame.ts';
import { timeToken } from '../../src/wire/leader.ts';

const payload = fc.uint8Array({ minLength: 1, maxLength: 200 }).map((bytes) => Buffer.from(bytes));

function decode(chunks: readonly Buffer[], limit = 1_000_000): { payloads: Buffer[]; broken: boolean } {
  const decoder = new FrameDecoder({ payloadBytes: limit });
  const payloads: Buffer[] = [];
  for (const chunk of chunks) decoder.push(chunk, (taken) => payloads.push(Buffer.from(taken)));
  return { payloads, broken: decoder.broken };
}

describe('frames', () => {
  it('come out whole wherever the stream is split', () => {
    fc.assert(
      fc.property(
        fc.array(payload, { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 1, max: 50 }),
        (payloads, size) => {
          const stream = Buffer.concat(payloads.map((p) => encodeFrame('', p)));
          const chunks: Buffer[] = [];
          for (let at = 0; at < stream.length; at += size) chunks.push(stream.subarray(at, at + size));
          const decoded = decode(chunks);
          expect(Buffer.concat(decoded.payloads).equals(Buffer.concat(payloads))).toBe(true);
          expect(decoded.payloads.length).toBe(payloads.length);
        },
      ),
    );
  });

  it('count bytes, not characters', () => {
    const frame = encodeFrame('id|sip\r\n', Buffer.from('grüße ☎'));
    expect(frame.toString('latin1').split('#')[0]).toBe(String(8 + Buffer.byteLength('grüße ☎')));
  });

  it('break the stream when a length is malformed, zero or above the limit', () => {
    for (const bytes of ['#abc', '0#', 'x5#hello', '-5#hello', '5 #hello', '1000001#', '99999999999#'])
      expect(decode([Buffer.from(bytes)]).broken, bytes).toBe(true);
    expect(decode([Buffer.from('5#hello')]).broken).toBe(false);
  });

  it('never throw on any bytes, nor does reading what they hold', () => {
    fc.assert(
      fc.property(fc.array(payload, { maxLength: 5 }), (chunks) => {
        for (const taken of decode(chunks).payloads) parseCommand(taken);
        for (const chunk of chunks) {
          parseCommand(chunk);
          parseAppMessage(chunk);
        }
      }),
    );
  });
});

describe('commands, as drachtio-srf writes them', () => {
  it('are taken apart', () => {
    expect(parseCommand(Buffer.from('a|authenticate|cymru|transcribe'))).toEqual({
      verb: 'authenticate',
      id: 'a',
      secret: 'cymru',
    });
    expect(parseCommand(Buffer.from('b|route|INVITE'))).toEqual({ verb: 'route', id: 'b', method: 'invite' });
    expect(parseCommand(Buffer.from('c|bogus|x')).verb).toBe('unknown');
    const sip = parseCommand(Buffer.from('d|sip||1@h;from-tag=x\r\nBYE sip:placeholder SIP/2.0\r\n\r\n'));
    expect(sip).toMatchObject({ verb: 'sip', transactionId: '', dialogId: '1@h;from-tag=x' });
  });

  it('carry a body that is the rest of the frame, whatever Content-Length says', () => {
    const body = 'v=0 grüße';
    const text = Buffer.from(
      `SIP/2.0 200 OK\r\ncseq: 1 INVITE\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    const message = parseAppMessage(text);
    expect(message?.body.toString()).toBe(body);
    expect(message?.start).toEqual({ kind: 'response', status: 200, reason: 'OK' });
  });
});

it('writes times in UTC with six decimals', () => {
  expect(timeToken(new Date(Date.UTC(2024, 0, 2, 7, 3, 4, 56)))).toBe('07:03:04.056000');
});
