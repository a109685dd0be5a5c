import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isEarshotError } from '@earshot/contracts';
import { identify, mergeMetadata, parseMetadata } from '../src/dialects/index.ts';
import type { ChannelIdentity } from '../src/dialects/invite.ts';
import { headersOf } from './support/headers.ts';
import { rfcMetadata } from './support/bodies.ts';

/** Who is on channels with these labels. */
function identified(xml: string | null, labels: readonly (string | null)[]): ChannelIdentity[] {
  return identify(
    'siprec-rfc7866',
    headersOf({ require: 'siprec' }),
    labels.map((label) => ({ label, codec: 'PCMU' })),
    xml === null ? null : parseMetadata(xml),
  );
}
const names = (xml: string, labels: readonly string[]): (string | null)[] =>
  identified(xml, labels).map(({ participant }) => participant.name);

describe('recording metadata', () => {
  it('as RFC 7865 has it puts the sender of a label on its channel, in whatever order the m-lines are', () => {
    expect(names(rfcMetadata, ['1', '2'])).toEqual(['Asha', 'Bram']);
    expect(names(rfcMetadata, ['2', '1'])).toEqual(['Bram', 'Asha']);
    expect(identified(rfcMetadata, ['1', '2']).map(({ role }) => role)).toEqual(['agent', 'customer']);
  });

  it('in the form of a draft (AudioCodes): id attributes, send inside participant, aor without a scheme', () => {
    const xml = `<recording xmlns="urn:ietf:params:xml:ns:recording"><datamode>complete</datamode>
      <session id="s1"/>
      <participant id="p1" session="s1"><nameID aor="1001@example.test"><name>Asha</name></nameID><send>st2</send><recv>st1</recv></participant>
      <participant id="p2" session="s1"><nameID aor="2002@example.test"/><send>st1</send></participant>
      <stream id="st1" session="s1"><label>16777227</label></stream>
      <stream id="st2" session="s1"><label>16777228</label></stream></recording>`;
    expect(identified(xml, ['16777227', '16777228']).map(({ participant }) => participant)).toEqual([
      { name: null, aor: 'sip:2002@example.test' },
      { name: 'Asha', aor: 'sip:1001@example.test' },
    ]);
    expect(parseMetadata(xml).sessionIds).toEqual(['s1']);
  });

  it('with prefixed names (Ribbon) and a name of one space reads as without', () => {
    const xml = rfcMetadata
      .replaceAll(/<(\/?)(?=[a-zA-Z])/g, '<$1tns:')
      .replace('xmlns=', 'xmlns:tns=')
      .replace('>Bram<', '> <');
    expect(names(xml, ['1', '2'])).toEqual(['Asha', null]);
  });

  it('with the root recording_metadata and aor elements (BroadWorks), all parties on one stream, is mixed', () => {
    const xml = `<recording_metadata xmlns="urn:ietf:params:xml:ns:siprec"><dataMode>complete</dataMode>
      <participant id="urn:uuid:1"><aor>sip:1@example.test</aor><send>urn:uuid:9</send></participant>
      <participant id="urn:uuid:2"><aor>sip:2@example.test</aor><send>urn:uuid:9</send></participant>
      <stream id="urn:uuid:9"><label>1</label></stream></recording_metadata>`;
    expect(identified(xml, ['1'])).toMatchObject([{ role: 'mixed', participant: { name: null, aor: null } }]);
    expect(parseMetadata(xml).participants.map(({ aor }) => aor)).toEqual([
      'sip:1@example.test',
      'sip:2@example.test',
    ]);
  });

  it('without associations (OpenSIPS) goes by order and says so', () => {
    const xml = rfcMetadata.replaceAll(/<participantstreamassoc[^]*?<\/participantstreamassoc>/g, '');
    const channels = identified(xml, ['0', '1']);
    expect(channels.map(({ participant }) => participant.name)).toEqual(['Asha', 'Bram']);
    expect(channels[0]!.evidence).toContain('party by metadata: participant by order (0.6)');
  });

  it('with a label that no m-line has, and empty ids (Avaya), leaves that m-line to the one who is left', () => {
    const xml = rfcMetadata
      .replace('<label>2</label>', '<label>77</label>')
      .replace('stream_id="i1Pz', 'stream_id="" x="');
    const channels = identified(xml, ['1', '2']);
    expect(channels.map(({ participant }) => participant.name)).toEqual(['Asha', 'Bram']);
    expect(channels[1]!.evidence).toContain('party by metadata: the only one left (0.8)');
  });

  it('whose labels are those of no m-line goes by the order of the streams', () => {
    const crossed = rfcMetadata
      .replace('<label>1</label>', '<label>y</label>')
      .replace('<label>2</label>', '<label>x</label>');
    expect(names(crossed, ['10', '20'])).toEqual(['Asha', 'Bram']);
    expect(identified(crossed, ['10', '20'])[0]!.evidence).toContain(
      'party by metadata: sends the stream in this place (0.8)',
    );
    expect(names(crossed, ['x', 'y'])).toEqual(['Bram', 'Asha']);
  });

  it('is not needed: Twilio’s labels say who is who', () => {
    expect(identified(null, ['inbound', 'outbound']).map(({ role }) => role)).toEqual(['customer', 'agent']);
  });

  it('that is partial changes what it names and keeps the rest', () => {
    const news = `<recording><datamode>Partial</datamode><participant participant_id="zSfPoSvdSDCmU3A3TRDxAw=="><nameID aor="sip:c@example.test"><name>Cleo</name></nameID></participant></recording>`;
    const merged = mergeMetadata(parseMetadata(rfcMetadata), parseMetadata(news));
    expect(merged.participants.map(({ name }) => name)).toEqual(['Asha', 'Cleo']);
    expect(merged.streams).toHaveLength(2);
    expect(merged.sends).toHaveLength(2);
  });

  it.each([
    ['a DTD', '<!DOCTYPE r SYSTEM "file:///etc/passwd"><r/>', /DTD/],
    ['entities that multiply', `<!DOCTYPE r [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><r>&b;</r>`, /DTD/],
    ['an entity of its own', '<r>&nbsp;</r>', /entity/],
    ['deep nesting', `${'<a>'.repeat(50)}${'</a>'.repeat(50)}`, /nested deeper/],
    ['many elements', `<r>${'<a/>'.repeat(5_000)}</r>`, /more than 4000 elements/],
    ['no element', '', /element|root/],
    ['no XML in it', 'IAM,\r\nGCI,91036128', /text data outside/],
    ['10 MB', `<r>${'x'.repeat(10_000_000)}</r>`, /longer than/],
  ])('with %s is refused', (_what, xml, says) => {
    expect(() => parseMetadata(xml)).toThrow(says);
    expect(() => parseMetadata(xml)).toThrow(expect.objectContaining({ code: 'METADATA_MALFORMED' }));
  });

  it.each([
    ['no end', rfcMetadata.slice(0, rfcMetadata.indexOf('</recording>'))],
    ['something behind its end', `${rfcMetadata}IAM,\r\nGCI,91036128`],
    ['padding of NUL', `${rfcMetadata}${'\0'.repeat(100_000)}\r\n`],
    ['a long row of NUL in it', rfcMetadata.replace('<stream ', `${'\0'.repeat(60_000)}<stream `)],
    ['a bare ampersand', rfcMetadata.replace('Asha', 'Asha').replace('<session ', '<x>R&D</x><session ')],
    ['an attribute without quotes', rfcMetadata.replace('<session ', '<h label=Call-ID/><session kind=a ')],
    ['quotes behind backslashes, as manuals print them', rfcMetadata.replaceAll('"', '\\"')],
    ['quotes of a word processor', rfcMetadata.replace('"en"', '\u201cen\u201d')],
  ])('with %s is read all the same', (_what, xml) => {
    expect(names(xml, ['1', '2'])).toEqual(['Asha', 'Bram']);
  });

  it('that ends early says so', () => {
    const { notes } = parseMetadata(rfcMetadata.slice(0, -20));
    expect(notes).toEqual([expect.stringMatching(/^metadata cannot be read to its end: .*unclosed tag/)]);
  });

  it('of any text is read or refused with METADATA_MALFORMED, never anything else', () => {
    const piece = fc.constantFrom(
      '<recording>',
      '</recording>',
      '<participant participant_id="p">',
      '</participant>',
      '<send>s</send>',
      '<stream/>',
      '<nameID aor="x"/>',
      '<name>',
      '</name>',
      '<![CDATA[x]]>',
      '&amp;',
      '&x;',
      '<!--',
      '-->',
      '<?pi?>',
      '<label>1</label>',
      '"',
      '\u0000',
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(piece, fc.string({ maxLength: 5 })), { maxLength: 30 }), (pieces) => {
        try {
          const metadata = parseMetadata(pieces.join(''));
          expect(JSON.parse(JSON.stringify(metadata))).toEqual(metadata);
        } catch (error) {
          if (!isEarshotError(error) || error.code !== 'METADATA_MALFORMED') throw error;
        }
      }),
    );
  });
});
