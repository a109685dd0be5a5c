import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildOffer, chosenCodec, parseAnswer } from '../src/sdp.ts';
import { buildSiprecInvite } from '../src/siprec.ts';

/** The parts of a multipart body by RFC 2046: headers and content. */
function partsOf(contentType: string, body: string): { headers: string[]; content: string }[] {
  const boundary = /;\s*boundary=("?)([^";]+)\1/i.exec(contentType)?.[2];
  if (boundary === undefined) throw new Error('no boundary');
  const sections = `\r\n${body}`.split(`\r\n--${boundary}`);
  expect(sections.at(0)).toBe('');
  expect(sections.at(-1)).toMatch(/^--\s*$/);
  return sections.slice(1, -1).map((section) => {
    const empty = section.indexOf('\r\n\r\n');
    return { headers: section.slice(2, empty).split('\r\n'), content: section.slice(empty + 4) };
  });
}

interface Element {
  name: string;
  attributes: Record<string, string>;
  children: Element[];
  text: string;
}

function unescape(text: string): string {
  return text.replace(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)));
}

/** Enough XML to see that tags are balanced and attributes quoted; throws otherwise. */
function parseXml(xml: string): Element {
  const root: Element = { name: '', attributes: {}, children: [], text: '' };
  const open = [root];
  let at = 0;
  for (const tag of xml.matchAll(/<([?/]?)([\w:-]+)((?:\s+[\w:-]+="[^"<]*")*)\s*\??>/g)) {
    const between = xml.slice(at, tag.index);
    if (/[<>]/.test(between)) throw new Error(`not well-formed before ${tag[0]}`);
    const parent = open.at(-1);
    if (parent === undefined) throw new Error('too many end tags');
    parent.text += unescape(between.trim());
    at = tag.index + tag[0].length;
    const name = tag[2] ?? '';
    if (tag[1] === '?') continue;
    if (tag[1] === '/') {
      if (open.pop()?.name !== name) throw new Error(`unexpected end of ${name}`);
      continue;
    }
    const attributes = Object.fromEntries(
      [...(tag[3] ?? '').matchAll(/([\w:-]+)="([^"]*)"/g)].map((pair) => [
        pair[1] ?? '',
        unescape(pair[2] ?? ''),
      ]),
    );
    const element = { name, attributes, children: [], text: '' };
    parent.children.push(element);
    open.push(element);
  }
  const [only] = root.children;
  if (open.length !== 1 || only === undefined || root.children.length !== 1)
    throw new Error('not one root element');
  return only;
}

function all(element: Element, name: string): Element[] {
  return element.children.flatMap((child) => [...(child.name === name ? [child] : []), ...all(child, name)]);
}

function inviteOf(names: [string, string]) {
  return buildSiprecInvite({
    sdp: buildOffer(
      '127.0.0.1',
      [
        { port: 40_000, label: 'agent' },
        { port: 40_002, label: 'customer' },
      ],
      'pcmu',
      'sendonly',
    ),
    parties: [
      { aor: 'sip:agent@contact-centre.example', name: names[0], label: 'agent' },
      { aor: 'sip:+15550100@carrier.example', name: names[1], label: 'customer' },
    ],
    startedAt: new Date('2026-03-01T10:00:00Z'),
    callReference: 'reference-1',
  });
}

describe('a SIPREC INVITE', () => {
  it('has SDP with a sendonly labelled stream for each party, in both G.711 laws', () => {
    const invite = inviteOf(['Ann', 'Carl']);
    const [sdp] = partsOf(invite.contentType, invite.body);
    expect(sdp?.headers).toContain('Content-Type: application/sdp');
    const media = sdp?.content.split(/^(?=m=)/m).slice(1) ?? [];
    expect(media).toHaveLength(2);
    expect(media[0]).toMatch(
      /^m=audio 40000 RTP\/AVP 0 8 101\r\n[\s\S]*a=label:agent\r\n[\s\S]*a=sendonly\r\n$/,
    );
    expect(media[1]).toMatch(
      /^m=audio 40002 RTP\/AVP 0 8 101\r\n[\s\S]*a=label:customer\r\n[\s\S]*a=sendonly\r\n$/,
    );
  });

  it('says in the metadata who sends on which label and who hears it', () => {
    const invite = inviteOf(['Ann', 'Carl']);
    const [, metadata] = partsOf(invite.contentType, invite.body);
    expect(metadata?.headers).toContain('Content-Type: application/rs-metadata+xml');
    const recording = parseXml(metadata?.content ?? '');
    expect(recording).toMatchObject({
      name: 'recording',
      attributes: { xmlns: 'urn:ietf:params:xml:ns:recording:1' },
    });
    const [session] = all(recording, 'session');
    const participants = all(recording, 'participant');
    const streams = all(recording, 'stream');
    expect(participants.map((participant) => all(participant, 'name')[0]?.text)).toEqual(['Ann', 'Carl']);
    expect(participants.map((participant) => all(participant, 'nameID')[0]?.attributes.aor)).toEqual([
      'sip:agent@contact-centre.example',
      'sip:+15550100@carrier.example',
    ]);
    for (const stream of streams) expect(stream.attributes.session_id).toBe(session?.attributes.session_id);
    const labels = new Map(
      streams.map((stream) => [stream.attributes.stream_id, all(stream, 'label')[0]?.text]),
    );
    const roles = all(recording, 'participantstreamassoc').map((association) => ({
      who: participants.findIndex(
        (p) => p.attributes.participant_id === association.attributes.participant_id,
      ),
      sends: all(association, 'send').map((stream) => labels.get(stream.text)),
      hears: all(association, 'recv').map((stream) => labels.get(stream.text)),
    }));
    expect(roles).toEqual([
      { who: 0, sends: ['agent'], hears: ['customer'] },
      { who: 1, sends: ['customer'], hears: ['agent'] },
    ]);
  });

  it('is marked as SIPREC and names the call in Session-ID, metadata and X-Call-ID', () => {
    const invite = inviteOf(['Ann', 'Carl']);
    const headers = Object.fromEntries(invite.headers);
    expect(headers.Require).toBe('siprec');
    expect(invite.contactParameters).toBe(';+sip.src');
    expect(headers['X-Call-ID']).toBe('reference-1');
    expect(headers['Session-ID']).toMatch(/^[0-9a-f]{32};remote=0{32}$/);
    expect(invite.body).toContain(`<sipSessionID>${headers['Session-ID'] ?? ''}</sipSessionID>`);
  });

  it('carries any name through the XML unchanged', () => {
    const name = fc
      .string({ minLength: 1, maxLength: 20 })
      .filter((text) => /^[ -~]*$/.test(text) && text === text.trim());
    fc.assert(
      fc.property(name, name, (agent, customer) => {
        const invite = inviteOf([agent, customer]);
        const recording = parseXml(partsOf(invite.contentType, invite.body)[1]?.content ?? '');
        expect(all(recording, 'name').map((element) => element.text)).toEqual([agent, customer]);
      }),
    );
  });
});

describe('an SDP answer', () => {
  it('is read by m-line, with session values where a stream has none', () => {
    const streams = parseAnswer(
      'v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\na=recvonly\r\n' +
        'm=audio 20000 RTP/AVP 8\r\na=label:1\r\nm=audio 20002 RTP/AVP 0\r\nc=IN IP4 10.0.0.2\r\na=inactive\r\na=rtcp-mux\r\n' +
        'm=video 0 RTP/AVP 99\r\nm=audio 0 RTP/AVP 0\r\na=rtcp:30000\r\n',
    );
    expect(streams).toEqual([
      {
        address: '10.0.0.1',
        port: 20_000,
        rtcpPort: 20_001,
        payloadTypes: [8],
        direction: 'recvonly',
        label: '1',
      },
      {
        address: '10.0.0.2',
        port: 20_002,
        rtcpPort: 20_002,
        payloadTypes: [0],
        direction: 'inactive',
        label: undefined,
      },
      {
        address: '10.0.0.1',
        port: 0,
        rtcpPort: 30_000,
        payloadTypes: [0],
        direction: 'recvonly',
        label: undefined,
      },
    ]);
  });

  it('decides the codec: ours if it is there, else the other law, else none', () => {
    const [stream] = parseAnswer('v=0\nc=IN IP4 1.2.3.4\nm=audio 20000 RTP/AVP 8 101\n') ?? [];
    if (stream === undefined) throw new Error('no stream');
    expect(chosenCodec(stream, 'pcma')).toBe('pcma');
    expect(chosenCodec(stream, 'pcmu')).toBe('pcma');
    expect(chosenCodec({ ...stream, payloadTypes: [9] }, 'pcmu')).toBeUndefined();
  });

  it('is undefined or streams with possible ports, whatever the text is', () => {
    const line = fc.oneof(
      fc.constantFrom('v=0', 'a=recvonly', 'c=IN IP4 1.1.1.1', 'm=audio 1 RTP/AVP 0', 'm=audio x', 'a=rtcp:'),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        for (const { port } of parseAnswer(lines.join('\r\n')) ?? []) {
          expect(port).toBeGreaterThanOrEqual(0);
          expect(port).toBeLessThanOrEqual(65_535);
        }
      }),
    );
  });
});
