import fc from 'fast-check';
import { parseNameAddr, tagOf } from '../../src/parse/uri.ts';
import { parseVia } from '../../src/parse/via.ts';
import { writeMessage, type HeaderLine } from '../../src/parse/build.ts';
import { headerName } from '../../src/parse/header-names.ts';
import type { Header, SipMessage } from '../../src/parse/message.ts';

const TOKEN = [..."abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.!%*_+`'~"];
export const token = fc.string({ unit: fc.constantFrom(...TOKEN), minLength: 1, maxLength: 12 });
const host = fc.oneof(fc.ipV4(), fc.domain(), fc.constant('[2001:db8::1]'));
const port = fc.option(fc.integer({ min: 1, max: 65_535 }), { nil: undefined });
const hostPort = fc.tuple(host, port).map(([h, p]) => (p === undefined ? h : `${h}:${p}`));
const params = fc
  .array(fc.tuple(token, fc.option(token, { nil: undefined })), { maxLength: 3 })
  .map((pairs) => pairs.map(([n, v]) => (v === undefined ? `;x${n}` : `;x${n}=${v}`)).join(''));
const uri = fc.tuple(token, hostPort, params).map(([u, h, p]) => `sip:${u}@${h}${p}`);
const quoted = fc.string({ maxLength: 12 }).map((text) => `"${text.replace(/[\\"]/g, '\\$&')}"`);
const display = fc.oneof(fc.constant(''), token, quoted);
const tagged = fc.tuple(display, uri, token).map(([d, u, t]) => `${d === '' ? '' : `${d} `}<${u}>;tag=${t}`);
const via = fc
  .tuple(fc.constantFrom('UDP', 'TCP', 'TLS'), hostPort, token)
  .map(([t, h, b]) => `SIP/2.0/${t} ${h};branch=z9hG4bK${b};rport`);
const method = fc.constantFrom('INVITE', 'BYE', 'OPTIONS', 'INFO', 'UPDATE', 'REGISTER');
const callId = fc.tuple(token, host).map(([a, b]) => `${a}@${b}`);
/** Any header text: printable ASCII and high bytes, no leading or trailing blanks. */
const text = fc
  .string({ unit: fc.integer({ min: 0x20, max: 0xff }).map((c) => String.fromCharCode(c)), maxLength: 40 })
  .map((value) => value.trim())
  .filter((value) => !value.includes('\x7f'));
const extra = fc.array(fc.tuple(token, text), { maxLength: 4 });

interface Parts {
  readonly lines: HeaderLine[];
  readonly body: Buffer;
  readonly cseq: { seq: number; method: string };
  readonly callId: string;
}

const parts: fc.Arbitrary<Parts> = fc
  .record({
    vias: fc.array(via, { minLength: 1, maxLength: 3 }),
    routes: fc.array(uri, { maxLength: 2 }),
    from: tagged,
    to: tagged,
    contact: uri,
    callId,
    seq: fc.nat({ max: 2 ** 31 - 1 }),
    method,
    extra,
    body: fc.uint8Array({ maxLength: 300 }),
  })
  .map((m) => ({
    cseq: { seq: m.seq, method: m.method },
    callId: m.callId,
    body: Buffer.from(m.body),
    lines: [
      ...m.vias.map((value): HeaderLine => ['Via', value]),
      ...m.routes.map((value): HeaderLine => ['Record-Route', `<${value};lr>`]),
      ['From', m.from],
      ['To', m.to],
      ['Call-ID', m.callId],
      ['CSeq', `${m.seq} ${m.method}`],
      ['Contact', `<${m.contact}>`],
      ...m.extra.map(([name, value]): HeaderLine => [`X-${name}`, value]),
    ],
  }));

function message(
  start:
    { kind: 'request'; method: string; uri: string } | { kind: 'response'; status: number; reason: string },
  p: Parts,
): SipMessage {
  const headers: Header[] = p.lines.map(([name, value]) => ({ ...headerName(name), value }));
  const find = (name: string): string => p.lines.find(([n]) => n === name)?.[1] ?? '';
  const via = parseVia(find('Via'));
  const from = parseNameAddr(find('From'));
  const to = parseNameAddr(find('To'));
  if (via === undefined || from === undefined || to === undefined || tagOf(from) === undefined)
    throw new Error(`the generator made a malformed header: ${JSON.stringify(p.lines)}`);
  return { ...start, headers, body: p.body, via, from, to, callId: p.callId, cseq: p.cseq };
}

/** A well-formed request or response. */
export const sipMessage: fc.Arbitrary<SipMessage> = fc
  .tuple(parts, uri, fc.option(fc.integer({ min: 100, max: 699 }), { nil: undefined }), text)
  .map(([p, target, status, reason]) =>
    status === undefined
      ? message({ kind: 'request', method: p.cseq.method, uri: target }, p)
      : message({ kind: 'response', status, reason }, p),
  );

/** Bytes of a well-formed message. */
export const sipBytes: fc.Arbitrary<Buffer> = parts.map((p) =>
  writeMessage(`${p.cseq.method} sip:a@b SIP/2.0`, p.lines, p.body),
);
