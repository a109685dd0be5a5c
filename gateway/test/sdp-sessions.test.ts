import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { isEarshotError, monoUs, newCallId, type ChannelPorts, type Leg } from '@earshot/contracts';
import { describe, expect, it } from 'vitest';
import { assignChannels } from '../src/call/session.ts';
import type { CallTools } from '../src/control/dialog.ts';
import { answerFor, legForAdded } from '../src/control/negotiation.ts';
import { Sessions } from '../src/control/sessions.ts';
import type { CallRecord } from '../src/journal/record.ts';
import { parseOffer, requireAcceptable } from '../src/sdp/offer.ts';
import { crlf } from './support/bodies.ts';
import { headersOf } from './support/headers.ts';
import { recordOf } from './support/record.ts';
import { faultsOf, readSession } from './support/rfc3264.ts';

/** A worker that gives each channel the next port. */
const workerOf = (): Pick<CallTools, 'placement' | 'log' | 'agents'> & {
  portsOf(leg: Leg): ChannelPorts[];
} => {
  let next = 20_000;
  const portsOf = (leg: Leg): ChannelPorts[] =>
    leg.channels.map(({ channel }) => ({ channel, rtpPort: (next += 2), rtcpPort: next + 1 }));
  return {
    portsOf,
    placement: {
      update: () => Promise.resolve({ type: 'updated', heard: true }),
      openOn: (worker: number, leg: Leg) => Promise.resolve({ worker, ports: portsOf(leg) }),
    } as unknown as CallTools['placement'],
    log: { warn: () => undefined } as unknown as CallTools['log'],
    agents: { numbers: [], domains: [] },
  };
};

/** The caller's side of a dialog: what it offers and what it is answered. */
class Dialogue {
  readonly #worker = workerOf();
  readonly #sessions = new Sessions(this.#worker);
  record: CallRecord | null = null;

  /** @returns the answer, or null for 488 */
  async offer(sdp: string): Promise<string | null> {
    try {
      const offer = parseOffer(sdp);
      if (this.record === null) this.record = this.#first(sdp);
      else {
        const read = { kind: 'read', sdp, offer, metadata: null } as const;
        this.record = await this.#sessions.afterOffer(this.record, read, headersOf({}));
      }
      return this.record.answer.sdp;
    } catch (error) {
      if (!isEarshotError(error) || !/CODEC_UNSUPPORTED|SDP_NO_AUDIO/.test(error.code)) throw error;
      return null;
    }
  }

  #first(sdp: string): CallRecord {
    const offer = parseOffer(sdp);
    requireAcceptable(offer);
    const callId = newCallId(Date.now(), randomBytes(10));
    const { media, added } = assignChannels([], 0, offer);
    const zero = { wallMs: Date.now(), monoUs: monoUs() };
    const leg = legForAdded(callId, added, { zero, rtpTimeoutS: 60, record: true });
    const ports = this.#worker.portsOf(leg);
    const origin = { sessionId: '7', version: 1, address: '192.0.2.9' };
    const answer = { ...origin, sdp: answerFor(origin, offer, media, [leg], ports) };
    return { ...recordOf(leg, 'dialog'), media, ports, offerSdp: sdp, answer };
  }
}

interface Line {
  readonly media: 'audio' | 'video' | 'image' | 'text' | 'application';
  readonly on: boolean;
  readonly ports: string;
  readonly transport: 'plain' | 'srtp' | 'dtls';
  readonly codecs: string;
  readonly direction: string | null;
  readonly connection: string | null;
  readonly label: string | null;
  readonly extras: readonly string[];
}

const line: fc.Arbitrary<Line> = fc.record({
  media: fc.oneof(
    { weight: 6, arbitrary: fc.constant('audio' as const) },
    fc.constantFrom('video', 'image', 'text', 'application'),
  ),
  on: fc.oneof({ weight: 5, arbitrary: fc.constant(true) }, fc.constant(false)),
  ports: fc.constantFrom('', '', '', '/2'),
  transport: fc.constantFrom('plain', 'plain', 'srtp', 'dtls'),
  codecs: fc.constantFrom('0', '8 0 101', '18 8', '9 0 13 101', '111 0', '18', '97 8 98'),
  direction: fc.constantFrom(null, 'sendrecv', 'sendonly', 'recvonly', 'inactive'),
  connection: fc.constantFrom(
    null,
    null,
    'IN IP4 192.0.2.77',
    'IN IP4 0.0.0.0',
    'IN IP6 2001:db8::7',
    'IN IP6 ::',
  ),
  label: fc.constantFrom(null, '1', '2', 'inbound'),
  extras: fc.subarray([
    'rtcp-mux',
    'rtcp-rsize',
    'ptime:30',
    'maxptime:10',
    'mid:a',
    'rtcp:40001',
    'ssrc:7 cname:x',
  ]),
});
const MAPS: Readonly<Record<string, string>> = {
  97: 'AMR-WB/16000',
  98: 'L16/16000',
  101: 'telephone-event/8000',
  111: 'opus/48000/2',
};
const KEY = 'd0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj';

const linesOf = (each: Line, index: number): string[] => {
  const transport =
    each.media === 'image'
      ? 'udptl'
      : each.media === 'application'
        ? 'UDP/DTLS/SCTP'
        : { plain: 'RTP/AVP', srtp: 'RTP/SAVP', dtls: 'UDP/TLS/RTP/SAVPF' }[each.transport];
  const formats = {
    audio: each.codecs,
    video: '96',
    text: '96',
    image: 't38',
    application: 'webrtc-datachannel',
  }[each.media];
  return [
    `m=${each.media} ${each.on ? `${30_000 + index * 2}${each.ports}` : 0} ${transport} ${formats}`,
    ...(each.connection === null ? [] : [`c=${each.connection}`]),
    ...formats
      .split(' ')
      .flatMap((format) => (MAPS[format] === undefined ? [] : [`a=rtpmap:${format} ${MAPS[format]}`])),
    ...(each.transport === 'srtp'
      ? ['a=crypto:1 F8_128_HMAC_SHA1_80 inline:x', `a=crypto:4 AES_CM_128_HMAC_SHA1_80 inline:${KEY}|2^31`]
      : []),
    ...(each.transport === 'dtls' ? ['a=setup:actpass', 'a=fingerprint:sha-256 AA:BB'] : []),
    ...(each.direction === null ? [] : [`a=${each.direction}`]),
    ...(each.label === null ? [] : [`a=label:${each.label}`]),
    ...each.extras.map((extra) => `a=${extra}`),
  ];
};
const sdpOf = (lines: readonly Line[], version: number, hold: string | null): string =>
  crlf([
    'v=0',
    `o=- 99 ${version} IN IP4 192.0.2.1`,
    's=-',
    'c=IN IP4 192.0.2.1',
    't=0 0',
    'a=group:BUNDLE a',
    ...(hold === null ? [] : [`a=${hold}`]),
    ...lines.flatMap(linesOf),
  ]);

describe('the answers of a dialog', () => {
  const change = fc.record({
    at: fc.nat({ max: 9 }),
    to: line,
    hold: fc.constantFrom(null, null, 'inactive', 'sendonly'),
  });

  it('are what RFC 3264 demands, whatever is offered and offered again', async () => {
    let answered = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(line, { minLength: 1, maxLength: 5 }),
        fc.array(change, { maxLength: 6 }),
        async (first, changes) => {
          const dialogue = new Dialogue();
          let lines = first;
          let before = await dialogue.offer(sdpOf(lines, 1, null));
          if (before === null) return;
          expect(faultsOf(sdpOf(lines, 1, null), before)).toEqual([]);
          for (const [turn, { at, to, hold }] of changes.entries()) {
            // A line may change in its place, and be added at the end; none goes away (section 8).
            const next = at < lines.length ? lines.with(at, to) : [...lines, to];
            const sdp = sdpOf(next, turn + 2, hold);
            const answer = await dialogue.offer(sdp);
            if (answer === null) continue;
            answered++;
            expect(faultsOf(sdp, answer)).toEqual([]);
            expectFollows(before, answer);
            // The same again: the same answer (section 8).
            expect(await dialogue.offer(sdp)).toBe(answer);
            [before, lines] = [answer, next];
          }
        },
      ),
      { numRuns: 200 },
    );
    expect(answered).toBeGreaterThan(80);
  });

  /** Section 8: one session, whose version rises by one exactly when it says something else; a stream that stays keeps its port. */
  function expectFollows(before: string, after: string): void {
    const [old, now] = [readSession(before), readSession(after)];
    expect(now.origin[1]).toBe(old.origin[1]);
    const same = before.replace(/^o=.*$/m, '') === after.replace(/^o=.*$/m, '');
    expect(Number(now.origin[2])).toBe(Number(old.origin[2]) + (same ? 0 : 1));
    for (const [index, { port }] of old.media.entries()) {
      const next = now.media[index]!.port;
      if (port !== 0 && next !== 0) expect(next).toBe(port);
    }
  }

  it('are judged by a check that sees what is wrong', () => {
    const offer = sdpOf([audio, { ...audio, label: '2' }], 1, null);
    const answer = (...media: string[]): string =>
      crlf(['v=0', 'o=x 1 1 IN IP4 192.0.2.9', 's=x', 'c=IN IP4 192.0.2.9', 't=0 0', ...media]);
    const good = ['m=audio 20000 RTP/AVP 0', 'a=recvonly', 'a=label:1'];
    expect(faultsOf(offer, answer(...good, 'm=audio 0 RTP/AVP 0', 'a=label:2'))).toEqual([]);
    expect(faultsOf(offer, answer(...good))).toEqual(['another number of m-lines']);
    expect(faultsOf(offer, answer(...good, 'm=audio 20002 RTP/AVP 8', 'a=sendrecv', 'a=label:1'))).toEqual([
      'm-line 2: a format that was not offered',
      'm-line 2: the label is not repeated',
      'm-line 2: sendrecv to sendonly',
    ]);
  });

  const audio: Line = {
    media: 'audio',
    on: true,
    ports: '',
    transport: 'plain',
    codecs: '0',
    direction: 'sendonly',
    connection: null,
    label: '1',
    extras: [],
  };
  const portsOf = (sdp: string | null): number[] => readSession(sdp!).media.map(({ port }) => port);

  it('keep a stream’s place while it is away, and give it its port again when it comes back', async () => {
    const dialogue = new Dialogue();
    const both = await dialogue.offer(sdpOf([audio, { ...audio, label: '2' }], 1, null));
    const one = await dialogue.offer(sdpOf([audio, { ...audio, label: '2', on: false }], 2, null));
    expect(portsOf(one)).toEqual([portsOf(both)[0], 0]);
    expect(dialogue.record!.legs[0]!.channels.map(({ state }) => state)).toEqual(['active', 'held']);
    const again = await dialogue.offer(sdpOf([audio, { ...audio, label: '2' }], 3, null));
    expect(portsOf(again)).toEqual(portsOf(both));
    // An offer that leaves the line out is against the rule; it takes nothing from the stream.
    await dialogue.offer(sdpOf([audio], 4, null));
    expect(portsOf(await dialogue.offer(sdpOf([audio, { ...audio, label: '2' }], 5, null)))).toEqual(
      portsOf(both),
    );
    expect(dialogue.record!.info.channels).toHaveLength(2);
  });

  it('refuse what takes the place of a stream and is no audio, without refusing the rest', async () => {
    const dialogue = new Dialogue();
    const both = await dialogue.offer(sdpOf([audio, { ...audio, label: '2' }], 1, null));
    const video = await dialogue.offer(sdpOf([audio, { ...audio, media: 'video', label: '2' }], 2, null));
    expect(portsOf(video)).toEqual([portsOf(both)[0], 0]);
  });

  it('take a third and a fourth stream in mid-call, each a channel of its own, up to eight', async () => {
    const dialogue = new Dialogue();
    const lines = Array.from({ length: 10 }, (_, index) => ({ ...audio, label: String(index) }));
    await dialogue.offer(sdpOf(lines.slice(0, 2), 1, null));
    await dialogue.offer(sdpOf(lines.slice(0, 4), 2, null));
    expect(dialogue.record!.info.channels.map(({ label }) => label)).toEqual(['0', '1', '2', '3']);
    const all = await dialogue.offer(sdpOf(lines, 3, null));
    expect(portsOf(all).filter((port) => port !== 0)).toHaveLength(8);
    expect(dialogue.record!.info.channels).toHaveLength(8);
  });

  it('name the label that a stream has now', async () => {
    const dialogue = new Dialogue();
    await dialogue.offer(sdpOf([audio], 1, null));
    await dialogue.offer(sdpOf([{ ...audio, label: '77' }], 2, null));
    expect(dialogue.record!.info.channels[0]!.label).toBe('77');
  });

  it('take the offerer’s new key and keep ours', async () => {
    const dialogue = new Dialogue();
    const srtp = { ...audio, transport: 'srtp' } as const;
    const first = await dialogue.offer(sdpOf([srtp], 1, null));
    const other = Buffer.alloc(30, 7).toString('base64');
    const second = await dialogue.offer(sdpOf([srtp], 2, null).replace(KEY, other));
    expect(dialogue.record!.legs[0]!.channels[0]!.srtp!.receive.keys[0]!.key).toBe(other);
    expect(second).toBe(first);
  });

  it('are 488 with what to offer instead where keys go by DTLS', () => {
    const why = (sdp: string): string => {
      try {
        requireAcceptable(parseOffer(sdp));
        return 'taken';
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(why(sdpOf([{ ...audio, transport: 'dtls' }], 1, null))).toMatch(
      /UDP\/TLS\/RTP\/SAVPF is not supported; offer RTP\/AVP, or RTP\/SAVP/,
    );
    const other = sdpOf([{ ...audio, transport: 'dtls' }], 1, null).replace('UDP/TLS/RTP/SAVPF', 'RTP/SAVP');
    expect(why(other)).toMatch(/keys by DTLS are not supported; offer a=crypto/);
  });
});
