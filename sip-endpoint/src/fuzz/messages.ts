import type { Random } from './random.ts';

/** What is known of a call that the fuzzer made; other messages are put into it. */
export interface FuzzCall {
  readonly callId: string;
  readonly fromTag: string;
  toTag: string | undefined;
  seq: number;
}

const METHODS = [
  'INVITE',
  'INVITE',
  'OPTIONS',
  'BYE',
  'INFO',
  'CANCEL',
  'ACK',
  'REGISTER',
  'UPDATE',
  'PRACK',
  'MESSAGE',
  'SUBSCRIBE',
  'NEWMETHOD',
] as const;

const SDP = [
  'v=0',
  'o=sbc 1 1 IN IP4 192.0.2.7',
  's=-',
  'c=IN IP4 192.0.2.7',
  't=0 0',
  'm=audio 40000 RTP/AVP 8 0 101',
  'a=label:1',
  'a=sendonly',
  '',
].join('\r\n');

const METADATA = `<?xml version="1.0"?><recording xmlns="urn:ietf:params:xml:ns:recording:1"><datamode>complete</datamode></recording>`;

const MULTIPART = [
  '--fence',
  'Content-Type: application/sdp',
  '',
  SDP,
  '--fence',
  'Content-Type: application/rs-metadata+xml',
  'Content-Disposition: recording-session',
  '',
  METADATA,
  '--fence--',
  '',
].join('\r\n');

/** Headers that a message may have beyond what it must have. */
const EXTRA = [
  'Supported: timer, 100rel, siprec',
  'Require: siprec',
  'Session-Expires: 1800;refresher=uac',
  'Record-Route: <sip:p1.example.com;lr>, <sip:p2.example.com;lr>',
  'Route: <sip:192.0.2.200;lr>',
  'Timestamp: 54.2',
  'Subject: a\r\n folded line',
  'User-to-User: 00FA08001B0000;encoding=hex',
  'RAck: 776656 1 INVITE',
  'Accept: application/sdp',
  'Max-Forwards: 0',
  'P-Asserted-Identity: "J\xfcrgen" <sip:+4930123456@example.com>',
] as const;

/** A whole request of a call, or of none. */
export function goodRequest(random: Random, call: FuzzCall, proto: 'UDP' | 'TCP', method?: string): string {
  const chosen = method ?? random.of(METHODS);
  const compact = method === undefined && random.chance(0.2);
  const name = (long: string, short: string): string => (compact ? short : long);
  const branch =
    random.chance(0.97) || method !== undefined ? `;branch=z9hG4bK${random.word()}${random.word()}` : '';
  const seq = chosen === 'CANCEL' || chosen === 'ACK' ? call.seq : ++call.seq;
  const to = call.toTag === undefined ? '' : `;tag=${call.toTag}`;
  const body = method === undefined ? random.of(['', SDP, MULTIPART, METADATA]) : SDP;
  const type = body === MULTIPART ? 'multipart/mixed;boundary=fence' : 'application/sdp';
  const lines = [
    `${chosen} sip:recorder@192.0.2.200 SIP/2.0`,
    `${name('Via', 'v')}: SIP/2.0/${proto} 192.0.2.7:5060${branch}${random.chance(0.5) ? ';rport' : ''}`,
    `${name('From', 'f')}: "Caller, A" <sip:1001@example.com>;tag=${call.fromTag}`,
    `${name('To', 't')}: <sip:recorder@192.0.2.200>${to}`,
    `${name('Call-ID', 'i')}: ${call.callId}`,
    `CSeq: ${seq} ${chosen}`,
    `${name('Contact', 'm')}: <sip:sbc@192.0.2.7:5060>;+sip.src`,
    'Max-Forwards: 70',
  ];
  if (method === undefined) for (let i = random.below(3); i > 0; i--) lines.push(random.of(EXTRA));
  if (body !== '') lines.push(`${name('Content-Type', 'c')}: ${type}`);
  lines.push(`${name('Content-Length', 'l')}: ${body.length}`);
  return lines.join('\r\n') + '\r\n\r\n' + body;
}

/** A response that nobody asked for. */
export const strayResponse = (random: Random, call: FuzzCall): string =>
  goodRequest(random, call, 'UDP').replace(/^[^\r]*/, `SIP/2.0 ${100 + random.below(600)} Whatever`);
