import { describe, expect, it } from 'vitest';
import { dialectOf, externalIds, parseMetadata } from '../src/dialects/index.ts';
import { parseNameAddr } from '../src/dialects/name-addr.ts';
import { rfcMetadata } from './support/bodies.ts';
import { headersOf } from './support/headers.ts';

describe('an INVITE is taken for SIPREC', () => {
  it.each([
    ['Require: siprec', { require: 'timer, SIPREC' }, false],
    ['Contact ;+sip.src', { contact: '<sip:src@192.0.2.1>;+sip.src' }, false],
    ['Contact ;src (AudioCodes)', { contact: '<sip:src@192.0.2.1>;src' }, false],
    ['a metadata part alone (BroadWorks)', {}, true],
  ])('by %s', (_what, headers, hasMetadata) => {
    expect(dialectOf(headersOf(headers), hasMetadata).name).toBe('siprec-rfc7866');
  });

  it('and for plain without any of these', () => {
    expect(
      dialectOf(headersOf({ contact: '<sip:src@192.0.2.1;transport=tcp>', require: 'timer' }), false).name,
    ).toBe('plain');
  });
});

describe('a plain call', () => {
  it('of two streams takes the parties from X-Cisco-Recording-Participant by media-index', () => {
    const invite = headersOf({
      from: '<sip:cube@192.0.2.1>',
      'x-cisco-recording-participant':
        'sip:1004@192.0.2.4;media-index="0", sip:2001@192.0.2.5;media-index="1"',
    });
    const streams = [
      { label: null, codec: 'PCMU' as const },
      { label: null, codec: 'PCMU' as const },
    ];
    expect(
      dialectOf(invite, false)
        .identify(invite, streams, null)
        .map(({ participant }) => participant.aor),
    ).toEqual(['sip:1004@192.0.2.4', 'sip:2001@192.0.2.5']);
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
