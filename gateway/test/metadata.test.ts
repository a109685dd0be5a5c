import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isEarshotError } from '@earshot/contracts';
import { dialectOf, mergeMetadata, parseMetadata, type ChannelIdentity } from '../src/dialects/index.ts';
import { headersOf } from './support/headers.ts';
import { rfcMetadata } from './support/bodies.ts';

/** Names on channels with these labels, and their roles. */
function identify(xml: string | null, labels: readonly (string | null)[]): ChannelIdentity[] {
  const metadata = xml === null ? null : parseMetadata(xml);
  const invite = headersOf({ require: 'siprec' });
  return dialectOf(invite, metadata !== null).identify(
    invite,
    labels.map((label) => ({ label, codec: 'PCMU' })),
    metadata,
  );
}
const names = (xml: string, labels: readonly string[]): (string | null)[] =>
  identify(xml, labels).map(({ participant }) => participant.name);

describe('recording metadata', () => {
  it('as RFC 7865 has it puts the sender of a label on its channel, in whatever order the m-lines are', () => {
    expect(names(rfcMetadata, ['1', '2'])).toEqual(['Asha', 'Bram']);
    expect(names(rfcMetadata, ['2', '1'])).toEqual(['Bram', 'Asha']);
    expect(identify(rfcMetadata, ['1', '2']).map(({ role }) => role)).toEqual(['agent', 'customer']);
  });

  it('in the form of a draft (AudioCodes): id attributes, send inside participant, aor without a scheme', () => {
    const xml = `<recording xmlns="urn:ietf:params:xml:ns:recording"><datamode>complete</datamode>
      <session id="s1"/>
      <participant id="p1" session="s1"><nameID aor="1001@example.test"><name>Asha</name></nameID><send>st2</send><recv>st1</recv></participant>
      <participant id="p2" session="s1"><nameID aor="2002@example.test"/><send>st1</send></participant>
      <stream id="st1" session="s1"><label>16777227</label></stream>
      <stream id="st2" session="s1"><label>16777228</label></stream></recording>`;
    expect(identify(xml, ['16777227', '16777228']).map(({ participant }) => participant)).toEqual([
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
    expect(identify(xml, ['1'])).toMatchObject([{ role: 'mixed', participant: { name: null, aor: null } }]);
    expect(parseMetadata(xml).participants.map(({ aor }) => aor)).toEqual([
      'sip:1@example.test',
      'sip:2@example.test',
    ]);
  });

  it('without associations (OpenSIPS) goes by order and says so', () => {
    const xml = rfcMetadata.replaceAll(/<participantstreamassoc[^]*?<\/participantstreamassoc>/g, '');
    const channels = identify(xml, ['0', '1']);
    expect(channels.map(({ participant }) => participant.name)).toEqual(['Asha', 'Bram']);
    expect(channels[0]!.evidence).toContain('metadata: participant by order');
  });

  it('with a label that no m-line has, and empty ids (Avaya), attributes nobody and fails nothing', () => {
    const xml = rfcMetadata
      .replace('<label>2</label>', '<label>77</label>')
      .replace('stream_id="i1Pz', 'stream_id="" x="');
    expect(names(xml, ['1', '2'])).toEqual(['Asha', null]);
  });

  it('is not needed: Twilio’s labels say who is who', () => {
    expect(identify(null, ['inbound', 'outbound']).map(({ role }) => role)).toEqual(['customer', 'agent']);
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
    ['10 MB', `<r>${'x'.repeat(10_000_000)}</r>`, /longer than/],
    ['no end', '<recording><session>', /unclosed/],
    ['no element', '', /element|root/],
  ])('with %s is refused', (_what, xml, says) => {
    expect(() => parseMetadata(xml)).toThrow(says);
    expect(() => parseMetadata(xml)).toThrow(expect.objectContaining({ code: 'METADATA_MALFORMED' }));
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
