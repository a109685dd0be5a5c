import fc from 'fast-check';
import { isEarshotError, type Leg, newCallId } from '@earshot/contracts';
import { describe, expect, it } from 'vitest';
import { legChannel } from '../src/call/session.ts';
import { answerMedia } from '../src/control/negotiation.ts';
import { buildAnswer } from '../src/sdp/answer.ts';
import { parseOffer, requireAcceptable } from '../src/sdp/offer.ts';
import { sdpOf, type StreamShape } from './support/bodies.ts';

const origin = { sessionId: '77', version: 3, address: '192.0.2.9' };
const answerAll = (sdp: string): string => {
  const offer = parseOffer(sdp);
  return buildAnswer(
    origin,
    offer,
    offer.media.map(({ acceptable, codecs }, line) =>
      acceptable ? { rtpPort: 20_000 + line * 2, codecs } : null,
    ),
  );
};

describe('an offer', () => {
  it('keeps the offerer’s payload types and order of preference, and drops what we cannot decode', () => {
    const [media] = parseOffer(
      sdpOf([
        {
          formats: '18 101 97 9 0 13 98 102',
          rtpmaps: [
            '97 pcma/8000',
            '9 G722/8000',
            '101 telephone-event/8000',
            '98 AMR-WB/16000',
            '102 telephone-event/48000',
          ],
        },
      ]),
    ).media;
    expect(media!.codecs).toEqual([
      { payloadType: 97, name: 'PCMA' },
      { payloadType: 9, name: 'G722' },
      { payloadType: 0, name: 'PCMU' },
      { payloadType: 101, name: 'telephone-event', clockRate: 8000 },
      { payloadType: 13, name: 'CN' },
    ]);
  });

  it('takes Opus and L16 with their clocks, and is answered with them', () => {
    const offer = parseOffer(
      sdpOf([
        {
          formats: '111 96 110',
          rtpmaps: ['111 opus/48000/2', '96 L16/16000/2', '110 telephone-event/48000'],
        },
      ]),
    );
    expect(offer.media[0]!.codecs).toEqual([
      { payloadType: 111, name: 'opus', clockRate: 48_000, audioChannels: 2 },
      { payloadType: 96, name: 'L16', clockRate: 16_000, audioChannels: 2 },
      { payloadType: 110, name: 'telephone-event', clockRate: 48_000 },
    ]);
    const answer = buildAnswer(origin, offer, [{ rtpPort: 20_000, codecs: offer.media[0]!.codecs }]);
    expect(answer).toContain('m=audio 20000 RTP/AVP 111 96 110\r\n');
    expect(answer).toContain('a=rtpmap:111 opus/48000/2\r\na=fmtp:111 stereo=0;useinbandfec=1\r\n');
    expect(answer).toContain('a=rtpmap:96 L16/16000/2\r\n');
    expect(answer).toContain('a=rtpmap:110 telephone-event/48000\r\na=fmtp:110 0-16\r\n');
  });

  it('with keys at 8000 only beside Opus, as baresip has it, keeps them; not where keys at 48000 are', () => {
    const keysOf = (formats: string, rtpmaps: string[]) =>
      parseOffer(sdpOf([{ formats, rtpmaps }])).media[0]!.codecs.slice(1);
    const opus = '111 opus/48000/2';
    const slow = '101 telephone-event/8000';
    expect(keysOf('111 101', [opus, slow])).toEqual([
      { payloadType: 101, name: 'telephone-event', clockRate: 8000 },
    ]);
    expect(keysOf('111 101 110', [opus, slow, '110 telephone-event/48000'])).toEqual([
      { payloadType: 110, name: 'telephone-event', clockRate: 48_000 },
    ]);
    expect(keysOf('111 13', [opus])).toEqual([]);
  });

  it('takes no stream that has keys and noise only', () => {
    const [media] = parseOffer(sdpOf([{ formats: '101 13', rtpmaps: ['101 telephone-event/8000'] }])).media;
    expect(media).toMatchObject({ codecs: [], acceptable: false });
  });

  it('does not take a name for the codec when rate or channels are others', () => {
    const codecs = (rtpmap: string) =>
      parseOffer(sdpOf([{ formats: '97', rtpmaps: [rtpmap] }])).media[0]!.codecs;
    expect(codecs('97 PCMU/16000')).toEqual([]);
    expect(codecs('97 PCMU/8000/2')).toEqual([]);
    expect(codecs('97 PCMU/8000/1')).toHaveLength(1);
  });

  it('may leave t= and s= out, end its lines with bare LF, and give c= per stream', () => {
    const sdp =
      'v=0\no=- 1 1 IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 0\nc=IN IP4 192.0.2.7\na=label: 16777227 \n';
    expect(parseOffer(sdp).media[0]).toMatchObject({
      address: '192.0.2.7',
      label: '16777227',
      direction: 'sendrecv',
    });
  });

  it.each([
    ['', /empty/],
    ['v=1\r\n', /line 1/],
    ['v=0\r\ns=-\r\n', /o= line is missing/],
    [sdpOf([{}]).replace('t=0 0', 'nonsense'), /line 5 is not type=value/],
    [sdpOf([{ port: 70_000 }]), /above 65535/],
    [sdpOf([{}]).replace('30000', 'many'), /m= line 1/],
    [sdpOf(Array.from({ length: 40 }, () => ({}))), /more than 32 m= lines/],
  ])('that is malformed is refused by naming the fault: %j', (sdp, says) => {
    expect(() => parseOffer(sdp)).toThrow(says);
    expect(() => parseOffer(sdp)).toThrow(expect.objectContaining({ code: 'SDP_MALFORMED' }));
  });

  it('whose streams are all off has no audio', () => {
    expect(() => requireAcceptable(parseOffer(sdpOf([{ port: 0 }])))).toThrow(
      expect.objectContaining({ code: 'SDP_NO_AUDIO' }),
    );
  });

  it('of any text is read or refused with SDP_MALFORMED, never anything else', () => {
    const line = fc.constantFrom(
      'v=0',
      'o=- 1 1 IN IP4 1.2.3.4',
      's=-',
      'c=IN IP4 1.2.3.4',
      'c=IN',
      'm=audio 4000 RTP/AVP 0 8',
      'm=audio',
      'm=audio 0 RTP/AVP',
      'a=rtpmap:0 PCMU/8000',
      'a=rtpmap:',
      'a=label:',
      'a=inactive',
      'a=',
      '=',
      'm=audio 99999999999999 RTP/AVP 0',
    );
    fc.assert(
      fc.property(
        fc.array(fc.oneof(line, line, fc.string()), { maxLength: 20 }),
        fc.boolean(),
        (lines, proper) => {
          const head = proper ? ['v=0', 'o=- 1 1 IN IP4 1.2.3.4'] : [];
          try {
            answerAll([...head, ...lines].join('\r\n'));
          } catch (error) {
            if (!isEarshotError(error) || error.code !== 'SDP_MALFORMED') throw error;
          }
        },
      ),
    );
  });
});

describe('an answer', () => {
  const stream: fc.Arbitrary<StreamShape> = fc.record({
    port: fc.constantFrom(0, 4_000, 40_000),
    label: fc.constantFrom(null, '1', 'inbound'),
    direction: fc.constantFrom(null, 'sendonly', 'sendrecv', 'recvonly', 'inactive'),
    formats: fc.constantFrom('0', '8 0', '18', '9', '97 8'),
  });

  it('has every m-line of the offer in order, refused ones with port 0, and never sends', () => {
    fc.assert(
      fc.property(fc.array(stream, { minLength: 1, maxLength: 6 }), (streams) => {
        const answer = answerAll(sdpOf(streams));
        const sections = answer.split(/^(?=m=)/m).slice(1);
        expect(sections).toHaveLength(streams.length);
        for (const [line, shape] of streams.entries()) {
          const section = sections[line]!;
          const taken = shape.port !== 0 && shape.formats !== '18';
          expect(Number(/^m=audio (\d+)/.exec(section)![1])).toBe(taken ? 20_000 + line * 2 : 0);
          expect(/^a=label:(.*)\r$/m.exec(section)?.[1] ?? null).toBe(shape.label);
          expect(answer).not.toMatch(/a=(sendrecv|sendonly)/);
          if (!taken) continue;
          const sends = shape.direction !== 'inactive' && shape.direction !== 'recvonly';
          expect(/^a=(recvonly|inactive)\r$/m.exec(section)?.[1]).toBe(sends ? 'recvonly' : 'inactive');
        }
        // What we answer is itself good SDP.
        expect(parseOffer(answer).sessionVersion).toBe('3');
      }),
    );
  });

  it('protects a stream with the offered suite and a key of our own, and says so in the answer', () => {
    const theirs = 'd0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj';
    const sdp = sdpOf([{}]).replace('RTP/AVP', 'RTP/SAVP');
    const lines = [
      'a=crypto:1 F8_128_HMAC_SHA1_80 inline:' + theirs,
      `a=crypto:2 AES_CM_128_HMAC_SHA1_80 inline:${theirs}|2^31`,
      'a=rtcp-mux',
    ];
    const offer = parseOffer(`${sdp}${lines.join('\r\n')}\r\n`);
    expect(offer.media[0]!.acceptable).toBe(true);
    const callId = newCallId(Date.now(), new Uint8Array(10));
    const channel = legChannel(callId, 0, offer.media[0]!, null);
    expect(channel.srtp!.receive.keys[0]!.key).toBe(theirs);
    expect(channel.rtcp).toMatchObject({ mux: true });
    const ours = channel.srtp!.send.keys[0]!.key;
    expect(ours).not.toBe(theirs);
    const leg = { callId, channels: [channel] } as unknown as Leg;
    const ports = [{ channel: channel.channel, rtpPort: 20_000, rtcpPort: 20_001 }];
    const answer = buildAnswer(origin, offer, answerMedia(offer, [0], [leg], ports));
    expect(answer).toContain('m=audio 20000 RTP/SAVP ');
    expect(answer).toContain(`a=crypto:2 AES_CM_128_HMAC_SHA1_80 inline:${ours}\r\n`);
    expect(answer).toContain('a=rtcp-mux\r\n');
    expect(answer).not.toContain(theirs);
    // A refresh keeps our key.
    expect(legChannel(callId, 0, offer.media[0]!, channel).srtp!.send).toEqual(channel.srtp!.send);
  });

  it('wishes for packets as long as the offerer’s, within what it can send, and repeats its time', () => {
    const answerTo = (...lines: string[]): string => {
      const offer = parseOffer(
        `${sdpOf([{}]).replace('t=0 0', 't=3034423619 3042462419')}${lines.join('\r\n')}\r\n`,
      );
      const callId = newCallId(Date.now(), new Uint8Array(10));
      const channel = legChannel(callId, 0, offer.media[0]!, null);
      const leg = { callId, channels: [channel] } as unknown as Leg;
      const ports = [{ channel: channel.channel, rtpPort: 20_000, rtcpPort: 20_001 }];
      return buildAnswer(origin, offer, answerMedia(offer, [0], [leg], ports));
    };
    expect(answerTo('a=ptime:30')).toContain('a=ptime:30\r\n');
    expect(answerTo('a=ptime:30', 'a=maxptime:10')).toContain('a=ptime:10\r\na=maxptime:10\r\n');
    expect(answerTo('a=maxptime:150')).toContain('a=ptime:20\r\na=maxptime:150\r\n');
    expect(answerTo('a=ptime:soon')).toContain('a=ptime:20\r\n');
    expect(answerTo()).toContain('t=3034423619 3042462419\r\n');
  });

  it('writes an IPv6 address as IP6', () => {
    const offer = parseOffer(sdpOf([{}]));
    const sdp = buildAnswer({ ...origin, address: '2001:db8::9' }, offer, [
      { rtpPort: 20_000, codecs: offer.media[0]!.codecs },
    ]);
    expect(sdp).toContain('c=IN IP6 2001:db8::9\r\n');
  });
});
