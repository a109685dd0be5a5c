import { describe, expect, it } from 'vitest';
import { StreamFramer } from '../../src/parse/framing.ts';
import { headerValue, headerValues, type ParseFault, type SipMessage } from '../../src/parse/message.ts';
import { parseMessage } from '../../src/parse/parse.ts';
import { parseNameAddr, parseSipUri, tagOf } from '../../src/parse/uri.ts';

/** Shapes after RFC 4475 sections 3.1 and 3.3, written for these tests. */
const BASE = {
  start: 'INVITE sip:agent@example.com SIP/2.0',
  via: 'Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKbase',
  from: 'From: <sip:caller@example.net>;tag=aa',
  to: 'To: <sip:agent@example.com>',
  callId: 'Call-ID: base@192.0.2.1',
  cseq: 'CSeq: 7 INVITE',
  contact: 'Contact: <sip:caller@192.0.2.1>',
  hops: 'Max-Forwards: 70',
  length: 'Content-Length: 0',
};
type Field = keyof typeof BASE;

const build = (changes: Partial<Record<Field, string>> = {}, body = ''): Buffer => {
  const lines = Object.entries({ ...BASE, ...changes }).map(([, line]) => line);
  return Buffer.from(lines.filter((line) => line !== '').join('\r\n') + '\r\n\r\n' + body, 'latin1');
};

function read(bytes: Buffer): SipMessage {
  const result = parseMessage(bytes);
  if (!result.ok) throw new Error(`${result.fault.code}: ${result.fault.reason}`);
  return result.message;
}

function faultOf(bytes: Buffer): ParseFault & { answerable: boolean } {
  const result = parseMessage(bytes);
  if (result.ok) throw new Error('was accepted');
  return { ...result.fault, answerable: result.answerable !== undefined };
}

/** Single rules; the 49 messages of RFC 4475 as they are, are in rfc4475.test.ts. */
describe('valid though unusual messages', () => {
  it('reads folded headers, odd blanks, compact forms and a comma-separated Via', () => {
    const message = read(
      Buffer.from(
        [
          'INVITE sip:agent@example.com;unknownparam SIP/2.0',
          'TO :',
          ' sip:agent@example.com ;   tag    = 1918181833n',
          'f   : "J Rosenberg \\\\\\""       <sip:caller@example.com>',
          '  ;',
          '  tag = 98asjd8',
          'MaX-fOrWaRdS: 0068',
          'Call-ID: wsinv.ndaksdj@192.0.2.1',
          'Content-Length   : 5',
          'cseq: 0009',
          '  INVITE',
          'Via  : SIP  /   2.0',
          ' /UDP',
          '    192.0.2.2;branch=390skdjuw',
          's :',
          'NewHeader:   new value',
          ' continued',
          'UnknownHeader: ;;,,;;,;',
          'v:  SIP  / 2.0  / TCP     first.example.com   ;',
          '  branch  =   z9hG4bK9ikj8  ,',
          ' SIP  /    2.0   / UDP  192.168.255.111   ; branch=',
          ' z9hG4bK30239',
          'm:"Quoted string \\"\\"" <sip:caller@example.com> ; newparam =',
          '      newvalue ;',
          '  secondparam ; q = 0.33',
          '',
          'v=0\r\nignored beyond Content-Length',
        ].join('\r\n'),
      ),
    );
    expect(message.cseq).toEqual({ seq: 9, method: 'INVITE' });
    expect(tagOf(message.to)).toBe('1918181833n');
    expect(tagOf(message.from)).toBe('98asjd8');
    expect(message.from.display).toBe('"J Rosenberg \\\\\\""');
    expect(headerValues(message.headers, 'via')).toHaveLength(3);
    expect(message.via).toMatchObject({ transport: 'UDP', host: '192.0.2.2' });
    expect(headerValue(message.headers, 'newheader')).toBe('new value continued');
    expect(headerValue(message.headers, 'subject')).toBe('');
    expect(headerValue(message.headers, 'contact')).toContain('newvalue');
    expect(message.body.toString()).toBe('v=0\r\n');
  });

  it('keeps header bytes that are not UTF-8, and names a message with every compact form', () => {
    const message = read(build({ contact: 'm: <sip:c@192.0.2.1>', hops: 'X-Name: J\xfcrgen \xff' }));
    expect(headerValue(message.headers, 'x-name')).toBe('J\xfcrgen \xff');
    expect(headerValue(message.headers, 'contact')).toBe('<sip:c@192.0.2.1>');
  });

  it('reads display names that hold commas, angle brackets and escaped quotes', () => {
    expect(parseNameAddr('"Bell, \\"A\\" <x>" <sip:a@b;p=1>;tag=t')).toMatchObject({ uri: 'sip:a@b;p=1' });
    expect(parseNameAddr('sip:a@b;tag=t')?.params.get('tag')).toBe('t');
    expect(parseNameAddr('"open <sip:a@b>')).toBeUndefined();
    expect(parseNameAddr('Bell <sip:a@b')).toBeUndefined();
  });

  it('takes escapes and an @ in the user part as part of the user', () => {
    expect(parseSipUri('sip:sips%3Auser%40example.com@example.net:5070;lr')).toMatchObject({
      user: 'sips%3Auser%40example.com',
      host: 'example.net',
      port: 5070,
    });
    expect(parseSipUri('sip:[2001:db8::10]:5060')?.host).toBe('[2001:db8::10]');
  });

  it('takes a BYE whatever stands in its Contact', () => {
    const bye = { start: 'BYE sip:a@b SIP/2.0', cseq: 'CSeq: 8 BYE' };
    for (const contact of ['Contact:', 'Contact: *', 'Contact: <nonsense'])
      expect(read(build({ ...bye, contact })).kind).toBe('request');
  });

  it('accepts Max-Forwards 0: we are the end of the way, not a proxy (RFC 4475 section 3.3.11)', () => {
    expect(read(build({ hops: 'Max-Forwards: 0' })).kind).toBe('request');
  });

  it('accepts a request without Max-Forwards, and a datagram without Content-Length', () => {
    expect(read(build({ hops: '', length: '' }, 'whole rest')).body.toString()).toBe('whole rest');
  });
});

describe('faults, answered with what fits them', () => {
  const cases: [string, Partial<Record<Field, string>>, number, string][] = [
    ['an unknown version', { start: 'INVITE sip:a@b SIP/7.0' }, 505, 'SIP_VERSION'],
    ['an unknown URI scheme', { start: 'INVITE nobody:a@b SIP/2.0' }, 416, 'SIP_URI_SCHEME'],
    ['blanks in the Request-URI', { start: 'INVITE sip:a@b; lr SIP/2.0' }, 400, 'SIP_START_LINE'],
    ['several blanks in the Request-Line', { start: 'INVITE  sip:a@b  SIP/2.0' }, 400, 'SIP_START_LINE'],
    ['a Request-URI in angle brackets', { start: 'INVITE <sip:a@b> SIP/2.0' }, 400, 'SIP_START_LINE'],
    ['a Request-Line without version', { start: 'INVITE sip:a@b' }, 400, 'SIP_START_LINE'],
    ['a negative CSeq', { cseq: 'CSeq: -7 INVITE' }, 400, 'SIP_BAD_CSEQ'],
    ['a CSeq beyond 2^31', { cseq: 'CSeq: 36893488147419103232 INVITE' }, 400, 'SIP_BAD_CSEQ'],
    ['a CSeq of another method', { cseq: 'CSeq: 7 BYE' }, 400, 'SIP_BAD_CSEQ'],
    ['a negative Content-Length', { length: 'Content-Length: -999' }, 400, 'SIP_CONTENT_LENGTH'],
    ['a Content-Length that is no number', { length: 'l: nine' }, 400, 'SIP_CONTENT_LENGTH'],
    ['two Content-Lengths', { length: 'l: 0\r\nContent-Length: 4' }, 400, 'SIP_CONTENT_LENGTH'],
    ['a body that is too short', { length: 'Content-Length: 9999' }, 400, 'SIP_BODY_SHORT'],
    ['a body that is too large', { length: 'Content-Length: 99999999' }, 413, 'SIP_BODY_SIZE'],
    ['two From headers', { hops: 'f: <sip:x@y>;tag=b' }, 400, 'SIP_DUPLICATE_HEADER'],
    ['an unclosed quote in To', { to: 'To: "Mr. X <sip:x@y>' }, 400, 'SIP_BAD_TO'],
    ['an INVITE without Contact', { contact: '' }, 400, 'SIP_MISSING_HEADER'],
    ['an INVITE without From tag', { from: 'From: <sip:a@b>' }, 400, 'SIP_BAD_FROM'],
    ['a Call-ID that would break the leader', { callId: 'Call-ID: a|b' }, 400, 'SIP_BAD_CALL_ID'],
    ['a Max-Forwards above 255', { hops: 'Max-Forwards: 300' }, 400, 'SIP_BAD_MAX_FORWARDS'],
    ['a header line without colon', { hops: 'nonsense' }, 400, 'SIP_HEADER_SYNTAX'],
    ['a bare line feed', { hops: 'Subject: a\nVia: b' }, 400, 'SIP_HEADER_SYNTAX'],
    ['a header line that is too long', { hops: `Subject: ${'x'.repeat(9000)}` }, 400, 'SIP_LINE_LENGTH'],
    [
      'a Request-URI that is too long',
      { start: `INVITE sip:${'x'.repeat(9000)} SIP/2.0` },
      414,
      'SIP_URI_LENGTH',
    ],
    ['too many headers', { hops: Array(300).fill('X-A: 1').join('\r\n') }, 400, 'SIP_HEADER_COUNT'],
  ];
  it.each(cases)('%s', (_what, changes, sipStatus, code) => {
    expect(faultOf(build(changes))).toMatchObject({ sipStatus, code, answerable: true });
  });

  it.each(['via', 'from', 'to', 'callId', 'cseq'] as const)(
    'a request without its %s is refused, unless the Via is missing that names the way back',
    (field) => {
      expect(faultOf(build({ [field]: '' }))).toMatchObject({
        code: 'SIP_MISSING_HEADER',
        answerable: field !== 'via',
      });
    },
  );

  it('a malformed Via is dropped when it names no way back', () => {
    expect(faultOf(build({ via: 'Via: SIP/2.0/UDP' }))).toMatchObject({
      code: 'SIP_BAD_VIA',
      answerable: false,
    });
  });

  it('a faulty ACK or response is never answered', () => {
    const ack = { start: 'ACK sip:a@b SIP/2.0', cseq: 'CSeq: x ACK' };
    expect(faultOf(build(ack)).answerable).toBe(false);
    expect(faultOf(build({ start: 'SIP/2.0 200 OK', cseq: 'CSeq: x INVITE' })).answerable).toBe(false);
    expect(faultOf(build({ start: 'SIP/2.0 4294967301 better not break' })).code).toBe('SIP_START_LINE');
  });

  it('a datagram that ends inside the header is answered 400', () => {
    const bytes = build().subarray(0, -2);
    expect(faultOf(bytes)).toMatchObject({ code: 'SIP_UNTERMINATED', answerable: true });
  });
});

describe('faults of a stream', () => {
  const last = (bytes: Buffer) => new StreamFramer().push(bytes).at(-1);

  it('breaks without Content-Length, or with a body too large, and can be answered', () => {
    for (const [length, code] of [
      ['', 'SIP_CONTENT_LENGTH'],
      ['Content-Length: 99999999', 'SIP_BODY_SIZE'],
      ['Content-Length: -1', 'SIP_CONTENT_LENGTH'],
    ] as const) {
      const event = last(build({ length }));
      if (event?.kind !== 'broken' || event.result.ok) throw new Error('not broken');
      expect(event.result.fault.code).toBe(code);
      expect(event.result.answerable).toBeDefined();
    }
  });

  it('breaks with 413 on a header that does not end', () => {
    const event = last(Buffer.concat([build().subarray(0, -2), Buffer.from('X-A: 1\r\n'.repeat(9000))]));
    if (event?.kind !== 'broken' || event.result.ok) throw new Error('not broken');
    expect(event.result.fault).toMatchObject({ code: 'SIP_HEAD_SIZE', sipStatus: 413 });
  });

  it('goes on after a faulty message whose length is known', () => {
    const framer = new StreamFramer();
    const events = framer.push(Buffer.concat([build({ cseq: 'CSeq: -1 INVITE' }), build()]));
    expect(events.map((event) => event.kind === 'message' && event.result.ok)).toEqual([false, true]);
  });
});
