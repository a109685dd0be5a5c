import { describe, expect, it } from 'vitest';
import { dialectOf, externalIds, moreIds, parseMetadata } from '../src/dialects/index.ts';
import { parseNameAddr } from '../src/dialects/name-addr.ts';
import { rfcMetadata } from './support/bodies.ts';
import { headersOf } from './support/headers.ts';

const dialect = (headers: Readonly<Record<string, string>>, xml: string | null = null): string =>
  dialectOf({
    invite: headersOf(headers),
    metadata: xml === null ? null : parseMetadata(xml),
    sdp: null,
  }).name;

describe('an INVITE is taken for SIPREC', () => {
  it.each([
    ['Require: siprec', { require: 'timer, SIPREC' }, null],
    ['Contact ;+sip.src', { contact: '<sip:src@192.0.2.1>;+sip.src' }, null],
    ['Contact ;src (AudioCodes)', { contact: '<sip:src@192.0.2.1>;src' }, null],
    ['a metadata part alone (BroadWorks)', {}, rfcMetadata],
  ])('by %s', (_what, headers, xml) => {
    expect(dialect(headers, xml)).toBe('siprec-rfc7866');
  });

  it('and for plain without any of these', () => {
    expect(dialect({ contact: '<sip:src@192.0.2.1;transport=tcp>', require: 'timer' })).toBe('plain');
  });
});

describe('a device is recognised', () => {
  it.each<[string, Record<string, string>]>([
    ['cisco-cube', { 'user-agent': 'Cisco-SIPGateway/IOS-17.9.4a' }],
    ['audiocodes', { 'user-agent': 'Mediant SW/v.7.40A' }],
    ['audiocodes', { 'user-agent': 'Device /7.40A.250' }],
    ['audiocodes', { 'x-ac-action': 'start' }],
    ['genesys', { 'user-agent': 'Mediant SW/v.7.40A', 'x-genesys-calluuid': '1' }],
    ['oracle', { server: 'Acme Packet 3950' }],
    ['oracle', { 'p-ocsbc-ucid': '1' }],
    ['ribbon', { 'content-type': 'multipart/mixed; boundary="sonus-content-delim"' }],
    ['ribbon', { 'user-agent': 'Ribbon SBC' }],
    ['avaya', { 'user-agent': 'Avaya CM/R018x' }],
    ['avaya', { 'x-avaya-ucid': '1' }],
    ['metaswitch', { 'user-agent': 'Metaswitch CFS' }],
    ['opensips', { 'content-type': 'multipart/mixed;boundary=OSS-unique-boundary-42' }],
    ['opensips', { 'user-agent': 'OpenSIPS (3.4.2)' }],
    ['twilio', { 'x-twilio-callsid': 'CA1' }],
    ['netsapiens', { 'user-agent': 'Netsapiens SiPbx 1-1205c' }],
    ['broadworks', { 'content-type': 'multipart/mixed;boundary=UniqueBroadWorksBoundary' }],
    ['siprec-rfc7866', { 'user-agent': 'something else' }],
  ])('as %s by %j, where it forks by SIPREC alone', (name, headers) => {
    expect(dialect({ require: 'siprec', ...headers })).toBe(name);
    expect(dialect(headers)).toBe('plain');
  });

  it('by what its SDP says of its maker', () => {
    const of = (owner: string, session = '-'): string =>
      dialectOf({
        invite: headersOf({ require: 'siprec' }),
        metadata: null,
        sdp: `v=0\r\no=${owner} 1 1 IN IP4 192.0.2.1\r\ns=${session}\r\n`,
      }).name;
    expect(
      ['CiscoSystemsSIP-GW-UserAgent', 'AudiocodesGW', 'Sonus_UAC', 'BroadWorks'].map((o) => of(o)),
    ).toEqual(['cisco-cube', 'audiocodes', 'ribbon', 'broadworks']);
    expect(of('root', 'Twilio Media Gateway')).toBe('twilio');
  });

  it('as Cisco’s network-based recording and built-in bridge by a header of their own, SIPREC or not', () => {
    expect(dialect({ 'x-cisco-recording-participant': 'sip:1@x;media-index=0' })).toBe('cisco-nbr');
    expect(dialect({ from: '<sip:1@x;x-farend;x-refci=1>;tag=2' })).toBe('cucm-bib');
  });
});

describe('external ids', () => {
  it('come from Session-ID, User-to-User, X- headers and the metadata, under lower-case names', () => {
    const ids = externalIds(
      headersOf({
        'session-id': 'ab30317f1a784dc48ff824d0d3715d86;remote=47755a9de7794ba387653f2099600ef2',
        'user-to-user': '00FA080001004953B4A5F0;encoding=hex',
        'x-genesys-calluuid': '00QM1CPK3V8B1',
        'x-weather': 'fine',
        subject: 'not an id',
      }),
      parseMetadata(rfcMetadata),
    );
    expect(ids).toEqual({
      'session-id': 'ab30317f1a784dc48ff824d0d3715d86',
      'session-id-remote': '47755a9de7794ba387653f2099600ef2',
      'user-to-user': '00FA080001004953B4A5F0;encoding=hex',
      // Node 1, sequence 73, then the seconds of 0x53B4A5F0.
      ucid: '00001000731404347888',
      'x-genesys-calluuid': '00QM1CPK3V8B1',
      'metadata-session-id': 'hVpd7YQgRW2nD22h7q60JQ==',
      'metadata-sip-session-id': 'ab30317f1a784dc48ff824d0d3715d86;remote=47755a9de7794ba387653f2099600ef2',
      'metadata-group-id': '7+OTCyoxTmqmqyA/1weDAg==',
    });
  });

  it('leave out a remote side of the session that is not known (RFC 7989)', () => {
    const session = `ab30317f1a784dc48ff824d0d3715d86;remote=${'0'.repeat(32)}`;
    const xml = rfcMetadata.replace(/(<sipSessionID>)[^<]*/, `$1${session}`);
    const ids = externalIds(headersOf({ 'session-id': session }), parseMetadata(xml));
    expect(ids).toMatchObject({
      'session-id': 'ab30317f1a784dc48ff824d0d3715d86',
      'metadata-sip-session-id': 'ab30317f1a784dc48ff824d0d3715d86',
    });
    expect(ids).not.toHaveProperty('session-id-remote');
  });

  it('come from Cisco’s references in the From URI and its Guid, and from Oracle’s and vendors’ headers', () => {
    const ids = externalIds(
      headersOf({
        from: '<sip:4002@192.0.2.28;x-nearend;x-refci=11;x-farendrefci=12;x-farendguid=AB12>;tag=1',
        'cisco-guid': '1-2-3-4',
        'p-ocsbc-ucid': '00FA080001004953B4A5F0',
        'x-broadworks-callid': 'callhalf-1:0',
      }),
      null,
    );
    expect(ids).toEqual({
      'x-refci': '11',
      'x-farendrefci': '12',
      'x-farendguid': 'AB12',
      'cisco-guid': '1-2-3-4',
      'p-ocsbc-ucid': '00FA080001004953B4A5F0',
      'x-broadworks-callid': 'callhalf-1:0',
    });
  });

  it.each([
    ['a discriminator of 04', '04FA080040112A6A5F3C10C8023132;encoding=hex', '00064043941784626192'],
    ['no discriminator (AudioCodes)', ' FA0800210BB86A5F3C11', '00033030001784626193'],
    ['the 8 octets alone (Oracle)', '002A00076A5F3C12', '00042000071784626194'],
    ['another element first', '00C8022122FA080001004953B4A5F0', '00001000731404347888'],
    ['an element that is cut', '00FA0800010049', null],
    ['no hexadecimal at all', 'hello;encoding=ascii', null],
  ])('take the UCID from User-to-User data with %s', (_what, value, ucid) => {
    const ids = externalIds(headersOf({ 'user-to-user': value }), null);
    expect(ids['ucid'] ?? null).toBe(ucid);
  });

  it('that a later request brings are added, and those that were known stay', () => {
    const later = moreIds({ 'x-call-id': 'a' }, headersOf({ 'x-call-id': 'b', 'session-id': 'c' }), null);
    expect(later).toEqual({ 'x-call-id': 'a', 'session-id': 'c' });
  });

  it('are at most 32 of at most 256 bytes, cut between characters', () => {
    const many = Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`x-call-${n}`, 'é'.repeat(1000)]));
    const ids = Object.values(externalIds(headersOf(many), null));
    expect(ids).toHaveLength(32);
    expect(ids[0]).toBe('é'.repeat(128));
  });
});

describe('a name-addr', () => {
  it.each([
    ['"Asha \\"A\\" B" <sip:1@example.test;x=1>;tag=9', 'Asha "A" B', 'sip:1@example.test'],
    ['Asha <sip:1@example.test>', 'Asha', 'sip:1@example.test'],
    ['sip:1@example.test;tag=9', null, 'sip:1@example.test'],
    ['', null, null],
  ])('%s', (text, name, aor) => {
    expect(parseNameAddr(text)).toEqual({ name, aor });
  });
});
