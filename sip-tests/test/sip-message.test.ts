import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  branchOf,
  cseqOf,
  header,
  headerValues,
  parseSipDatagram,
  serializeSip,
  type SipMessage,
  SipStreamParser,
  tagOf,
  uriOf,
} from '../src/sip-message.ts';

const token = fc.stringMatching(/^[A-Za-z][A-Za-z0-9-]{0,12}$/);
const value = fc.stringMatching(/^[!-~]([ -~]{0,30}[!-~])?$/);
const message: fc.Arbitrary<SipMessage> = fc
  .record({
    headers: fc.array(
      fc.tuple(
        token.filter((name) => !/^(l|content-length)$/i.test(name)),
        value,
      ),
      { maxLength: 6 },
    ),
    body: fc.uint8Array({ maxLength: 60 }),
    status: fc.option(fc.integer({ min: 100, max: 699 })),
    reason: fc.stringMatching(/^[A-Za-z ]{0,20}$/),
    uri: fc.stringMatching(/^sip:[a-z0-9.@;=]{1,20}$/),
  })
  .map(({ headers, body, status, reason, uri }) =>
    status === null
      ? { kind: 'request', method: 'INVITE', uri, headers, body: Buffer.from(body) }
      : { kind: 'response', status, reason, headers, body: Buffer.from(body) },
  );

describe('SIP messages', () => {
  it('come back from their bytes as they were', () => {
    fc.assert(
      fc.property(message, (original) => {
        const parsed = parseSipDatagram(serializeSip(original));
        const length: [string, string] = ['Content-Length', String(original.body.length)];
        expect(parsed).toEqual({ ...original, headers: [...original.headers, length] });
      }),
    );
  });

  it('are cut out of a TCP stream however it is split, with keep-alives in between', () => {
    fc.assert(
      fc.property(
        fc.array(message, { minLength: 1, maxLength: 4 }),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
        (messages, sizes) => {
          const stream = Buffer.concat(
            messages.flatMap((one) => [serializeSip(one), Buffer.from('\r\n\r\n')]),
          );
          const parser = new SipStreamParser();
          const parsed: SipMessage[] = [];
          let at = 0;
          for (let i = 0; at < stream.length; i += 1) {
            const size = sizes[i % sizes.length] ?? 1;
            parsed.push(...parser.push(stream.subarray(at, at + size)));
            at += size;
          }
          expect(parsed.map((one) => Buffer.from(one.body))).toEqual(messages.map((one) => one.body));
          expect(parsed.map((one) => one.kind)).toEqual(messages.map((one) => one.kind));
        },
      ),
    );
  });

  it('are undefined, and nothing is thrown, when the datagram is not SIP', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(parseSipDatagram(Buffer.from(bytes))).toBeUndefined();
      }),
    );
    expect(parseSipDatagram(Buffer.from('SIP/2.0 200 OK\r\nContent-Length: 5\r\n\r\nabc'))).toBeUndefined();
  });

  it('make a TCP stream of something else an error', () => {
    expect(() => new SipStreamParser().push(Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'))).toThrow('SIP');
  });

  it('are read by long and compact header names, folded lines and parameters', () => {
    const parsed = parseSipDatagram(
      Buffer.from(
        'SIP/2.0 200 OK\r\nv: SIP/2.0/UDP a;branch=z9hG4bK1;rport\r\nVia: SIP/2.0/UDP b\r\n' +
          'f: "Ann; tag=no" <sip:a@b;tag=no>;tag=x1\r\nt: sip:c@d ;tag=y2\r\nm: <sip:c@d:5070;lr>;expires=5\r\n' +
          'Subject: two\r\n lines\r\nCSeq: 7 invite\r\n\r\n',
      ),
    );
    if (parsed === undefined) throw new Error('not parsed');
    expect(headerValues(parsed, 'Via')).toHaveLength(2);
    expect(branchOf(parsed)).toBe('z9hG4bK1');
    expect(tagOf(header(parsed, 'From'))).toBe('x1');
    expect(tagOf(header(parsed, 'To'))).toBe('y2');
    expect(uriOf(header(parsed, 'Contact'))).toBe('sip:c@d:5070;lr');
    expect(header(parsed, 's')).toBe('two lines');
    expect(cseqOf(parsed)).toEqual({ number: 7, method: 'INVITE' });
  });
});
