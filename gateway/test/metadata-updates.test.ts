import { channelIdOf, newCallId, type ChannelInfo } from '@earshot/contracts';
import { describe, expect, it } from 'vitest';
import {
  continued,
  identify,
  mergeMetadata,
  parseMetadata,
  type RecordingMetadata,
} from '../src/dialects/index.ts';
import { headersOf } from './support/headers.ts';

const callId = newCallId(0, new Uint8Array(10));

/** A call whose channels are described anew with each document. */
class Told {
  metadata: RecordingMetadata | null = null;
  channels: ChannelInfo[] = [];
  readonly #dialect: string;
  readonly #labels: readonly string[];

  constructor(dialect: string, labels: readonly string[]) {
    this.#dialect = dialect;
    this.#labels = labels;
  }

  hears(xml: string): (string | null)[] {
    this.metadata = mergeMetadata(this.metadata, parseMetadata(xml));
    const streams = this.#labels.map((label) => ({ label, codec: 'PCMU' as const }));
    const identities = identify(this.#dialect, headersOf({}), streams, this.metadata);
    this.channels = streams.map((stream, index) => ({
      channel: channelIdOf(callId, index),
      index,
      ...stream,
      ...continued(identities[index]!, this.channels[index], this.metadata),
    }));
    return this.channels.map(({ participant, role }) =>
      role === 'mixed' ? 'mixed' : (participant.name ?? participant.aor),
    );
  }
}

const person = (id: string, aor: string, name = ''): string =>
  `<participant participant_id="${id}"><nameID aor="${aor}"><name>${name}</name></nameID></participant>`;
const sends = (id: string, ...streams: string[]): string =>
  `<participantstreamassoc participant_id="${id}">${streams.map((each) => `<send>${each}</send>`).join('')}</participantstreamassoc>`;
const leaves = (id: string, time = '2026-04-01T10:09:00Z', since = '2026-04-01T10:00:00Z'): string =>
  `<participantsessionassoc participant_id="${id}" session_id="s"><associate-time>${since}</associate-time><disassociate-time>${time}</disassociate-time></participantsessionassoc>`;
const document = (mode: string, ...parts: string[]): string =>
  `<recording xmlns="urn:ietf:params:xml:ns:recording:1"><datamode>${mode}</datamode>${parts.join('')}</recording>`;
const stream = (id: string, label: string): string =>
  `<stream stream_id="${id}" session_id="s"><label>${label}</label></stream>`;

const opening = document(
  'complete',
  '<session session_id="s"/>',
  person('a', 'sip:1001@x.test', 'Asha'),
  person('b', 'sip:+4930555@y.test', 'Bram'),
  stream('s1', '1'),
  stream('s2', '2'),
  sends('a', 's1'),
  sends('b', 's2'),
);

const started = (): Told => {
  const told = new Told('siprec-rfc7866', ['1', '2']);
  expect(told.hears(opening)).toEqual(['Asha', 'Bram']);
  return told;
};

describe('in the middle of a call', () => {
  it('a transfer puts the new party in the place of the one who leaves', () => {
    const told = started();
    const news = document('Partial', leaves('a'), person('c', 'sip:1002@x.test', 'Cleo'), sends('c', 's1'));
    expect(told.hears(news)).toEqual(['Cleo', 'Bram']);
    expect(told.channels.map(({ role }) => role)).toEqual(['agent', 'customer']);
    expect(told.metadata?.participants.map(({ id }) => id)).toEqual(['b', 'c']);
  });

  it('who leaves in one document and comes in the next is not forgotten in between', () => {
    const told = started();
    expect(told.hears(document('partial', leaves('a')))).toEqual(['Asha', 'Bram']);
    expect(told.hears(document('partial', person('c', 'sip:1002@x.test', 'Cleo'), sends('c', 's1')))).toEqual(
      ['Cleo', 'Bram'],
    );
  });

  it('a third on a stream makes it mixed, and it is one party again when he leaves', () => {
    const told = started();
    const joins = document('partial', person('c', 'sip:1002@x.test', 'Cleo'), sends('c', 's2'));
    expect(told.hears(joins)).toEqual(['Asha', 'mixed']);
    expect(told.hears(document('partial', leaves('c')))).toEqual(['Asha', 'Bram']);
  });

  it('hold, which empties the associations, changes nobody', () => {
    const told = started();
    expect(told.hears(document('partial', sends('a'), sends('b')))).toEqual(['Asha', 'Bram']);
    const complete = opening
      .replaceAll(/<send>.*?<\/send>/g, '')
      .replace(/(.*)(<participant .*?)(<participant .*?)(<stream)/, '$1$3$2$4');
    expect(told.hears(complete)).toEqual(['Asha', 'Bram']);
    expect(told.hears(opening)).toEqual(['Asha', 'Bram']);
  });

  it('streams that change hands are followed', () => {
    const told = started();
    expect(told.hears(document('PARTIAL', sends('a', 's2'), sends('b', 's1')))).toEqual(['Bram', 'Asha']);
  });

  it('an association that ends alone takes that stream, and the party stays', () => {
    const told = started();
    const over = '<disassociate-time>2026-04-01T10:09:00Z</disassociate-time>';
    const news = document(
      'partial',
      `<participantstreamassoc participant_id="b"><send>s2</send>${over}</participantstreamassoc>`,
      sends('a', 's1', 's2'),
    );
    expect(told.hears(news)).toEqual(['Asha', 'Asha']);
    expect(told.metadata?.participants).toHaveLength(2);
  });

  it('a placeholder (Avaya) gives way to the name that an UPDATE brings, and never takes one away', () => {
    const told = new Told('avaya', ['1', '2']);
    const first = opening.replace('sip:1001@x.test', 'sip:ASBCE@asbce.com').replace('Asha', '');
    expect(told.hears(first)).toEqual([null, 'Bram']);
    expect(told.hears(document('complete', opening))).toEqual(['Asha', 'Bram']);
    expect(told.hears(first)).toEqual(['Asha', 'Bram']);
  });

  it('the BYE’s participants without names (Ribbon) keep what they had', () => {
    const told = started();
    const bye = `<recording><datamode>Partial</datamode>${['a', 'b']
      .map(
        (id) =>
          `<participant participant_id="${id}" session_id="s"><disassociate-time>2026-04-01T10:09:00Z</disassociate-time></participant>`,
      )
      .join('')}</recording>`;
    expect(told.hears(bye)).toEqual(['Asha', 'Bram']);
    expect(told.metadata?.participants).toEqual([]);
    const renamed = document('partial', '<participant participant_id="a"/>', person('a', 'sip:1001@x.test'));
    expect(started().hears(renamed)).toEqual(['Asha', 'Bram']);
  });

  it('a participant who is renamed keeps his address', () => {
    const told = started();
    const named = '<participant participant_id="b"><nameID><name>Bram de Vries</name></nameID></participant>';
    expect(told.hears(document('partial', named))).toEqual(['Asha', 'Bram de Vries']);
    expect(told.channels[1]!.participant.aor).toBe('sip:+4930555@y.test');
  });

  it('a participant whose address changes loses the name of the one before', () => {
    expect(started().hears(document('partial', person('a', 'sip:1009@x.test')))).toEqual([
      'sip:1009@x.test',
      'Bram',
    ]);
  });

  it('the first INVITE of one m-line (Oracle) and a re-INVITE with the other are put together', () => {
    const told = new Told('oracle', ['1']);
    const first = document(
      'complete',
      person('a', 'sip:1001@x.test', 'Asha'),
      person('b', 'sip:+493@y.test', 'Bram'),
      stream('s1', '1'),
      sends('a', 's1'),
    );
    expect(told.hears(first)).toEqual(['Asha']);
    const both = new Told('oracle', ['1', '2']);
    both.metadata = told.metadata;
    both.channels = told.channels;
    expect(both.hears(document('partial', stream('s2', '2'), sends('b', 's2')))).toEqual(['Asha', 'Bram']);
  });

  it('parties that go by order are replaced when they are not there any more', () => {
    const told = new Told('opensips', ['0', '1']);
    const by = (...people: string[]): string => document('complete', ...people);
    expect(told.hears(by(person('a', 'sip:a@x.test', 'Asha'), person('b', 'sip:b@x.test', 'Bram')))).toEqual([
      'Asha',
      'Bram',
    ]);
    expect(told.hears(by(person('c', 'sip:c@x.test', 'Cleo'), person('b', 'sip:b@x.test', 'Bram')))).toEqual([
      'Cleo',
      'Bram',
    ]);
  });
});

describe('a transfer that ends one session and begins another', () => {
  const member = (id: string, session: string, over = ''): string =>
    `<participantsessionassoc participant_id="${id}" session_id="${session}">${over}</participantsessionassoc>`;
  const over = '<disassociate-time>2026-04-01T10:09:00Z</disassociate-time>';

  it.each([
    ['in one document', [[member('a', 's', over), member('b', 's', over), member('b', 's9')]]],
    [
      'in one document, the new session first',
      [[member('b', 's9'), member('a', 's', over), member('b', 's', over)]],
    ],
    [
      'in one document after the other',
      [[member('b', 's9')], [member('a', 's', over), member('b', 's', over)]],
    ],
  ])('%s keeps who goes on in it, and loses who does not', (_what, documents) => {
    const told = new Told('siprec-rfc7866', ['1', '2']);
    told.hears(opening.replace('<stream ', `${member('a', 's')}${member('b', 's')}<stream `));
    for (const parts of documents) told.hears(document('partial', ...parts));
    expect(told.metadata?.participants.map(({ name }) => name)).toEqual(['Bram']);
    expect(told.metadata?.joined).toEqual([{ participantId: 'b', sessionId: 's9' }]);
  });
});

describe('who has left', () => {
  const here = (association: string): string[] =>
    parseMetadata(document('complete', person('a', 'sip:a@x.test'), association)).participants.map(
      ({ id }) => id,
    );

  it('is told by a time that is one', () => {
    expect(here(leaves('a'))).toEqual([]);
    expect(here(leaves('a', ''))).toEqual(['a']);
    expect(here(leaves('a', '1970-01-01T00:00:00Z', ''))).toEqual(['a']);
    // A filler where there is no time; a clock that was never set is one.
    expect(here(leaves('a', '1970-01-01T00:00:00Z', '1970-05-15T00:41:05Z'))).toEqual(['a']);
    expect(here(leaves('a', '1970-05-15T00:42:05Z', '1970-05-15T00:41:05Z'))).toEqual([]);
  });

  it('is back when he is associated again later', () => {
    expect(here(leaves('a', '2026-04-01T10:00:00Z', '2026-04-01T10:05:00Z'))).toEqual(['a']);
    const again = '<participantsessionassoc participant_id="a" session_id="s"/>';
    expect(here(leaves('a') + again)).toEqual(['a']);
  });
});

describe('a participant', () => {
  const read = (xml: string) => parseMetadata(document('complete', xml)).participants;

  it('of several nameIDs has the first address, the first name, and the other addresses as aliases', () => {
    expect(
      read(
        '<participant participant_id="a"><nameID aor=" "/><nameID aor="sip:1@x.test"/><nameID aor="tel:+49301"><name>"Asha"</name></nameID></participant>',
      ),
    ).toEqual([{ id: 'a', name: 'Asha', aor: 'sip:1@x.test', aliases: ['tel:+49301'] }]);
  });

  it('may be described by attributes, by elements of any case, or by a whole name-addr', () => {
    expect(
      read(
        '<PARTICIPANT ID="a"><NAMEID AOR="&lt;sip:1@x.test;user=phone&gt;"><NAME> </NAME></NAMEID></PARTICIPANT>',
      ),
    ).toEqual([{ id: 'a', name: null, aor: 'sip:1@x.test' }]);
    expect(read('<participant id="p" name="Bram"><aor>bram@x.test</aor></participant>')).toEqual([
      { id: 'p', name: 'Bram', aor: 'sip:bram@x.test' },
    ]);
  });

  it('is known as the caller by Oracle’s flag or by a role', () => {
    const flag = '<x:extensiondata xmlns:x="y"><x:callingParty>true</x:callingParty></x:extensiondata>';
    expect(read(`<participant id="a">${flag}</participant>`)).toMatchObject([{ calling: true }]);
    expect(read('<participant id="a"><role>called</role></participant>')).toMatchObject([
      { calling: false, part: 'called' },
    ]);
  });
});
