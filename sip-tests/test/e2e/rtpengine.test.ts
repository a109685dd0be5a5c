/** rtpengine between two parties, which forks what it relays to Earshot as an SBC does: SIPREC with its labels. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EarshotProcess } from '../../src/earshot-process.ts';
import { encodedFrames, type MediaFormat, rtpmapOf } from '../../src/encoded.ts';
import { decodedTo8k, hasFfmpeg, resampled } from '../../src/ffmpeg.ts';
import { hasFlite, spoken } from '../../src/flite.ts';
import { Rtpengine, hasRtpengine } from '../../src/rtpengine.ts';
import { RtpPacer, RtpStream } from '../../src/rtp-sender.ts';
import { parseAnswer } from '../../src/sdp.ts';
import { SipClient } from '../../src/sip-client.ts';
import { buildSiprecInvite } from '../../src/siprec.ts';
import { compared, ledgerOf, recorded, recordingOf } from './recordings.ts';
import { callBySipId } from './support.ts';

const TEXTS = {
  caller: 'hello, i would like to ask about the invoice that you sent me last week.',
  callee: 'of course, let me find it. could you tell me the name on the account please?',
};
const G722: MediaFormat = { codec: 'G722', payloadType: 9, rate: 16_000, ptimeMs: 20 };
const PCMA: MediaFormat = { codec: 'PCMA', payloadType: 8, rate: 8000, ptimeMs: 20 };

describe.skipIf(!hasRtpengine || !hasFfmpeg || !hasFlite)(
  'a call that rtpengine relays and forks (Debian: rtpengine-daemon, ffmpeg, flite)',
  () => {
    let earshot: EarshotProcess;
    let rtpengine: Rtpengine;
    let client: SipClient;
    beforeAll(async () => {
      rtpengine = await Rtpengine.start();
      earshot = await EarshotProcess.start();
      client = await SipClient.open({ server: earshot.sip, transport: 'tcp' });
    }, 180_000);
    afterAll(async () => {
      await client?.close();
      await earshot?.stop();
      await rtpengine?.stop();
    }, 60_000);

    test.each([
      { format: G722, encode: ['-f', 'g722'], leastDb: 4.5 },
      { format: PCMA, encode: ['-f', 'alaw', '-ar', '8000', '-ac', '1'], leastDb: 0.5 },
    ])(
      'in $format.codec is recorded as both parties said it, each on its channel',

      // One more try: a machine that holds up a sender for half a second makes a gap, and rightly.
      { timeout: 60_000, retry: 1 },
      async ({ format, encode, leastDb }) => {
        const pacer = new RtpPacer();
        const sources: Int16Array[] = [];
        const streams: RtpStream[] = [];
        // Another one if it is tried again: rtpengine still has the first.
        const callId = `rtpengine-${randomUUID()}`;
        const rtpmap = rtpmapOf(format);
        try {
          for (const text of [TEXTS.caller, TEXTS.callee]) {
            const { rate, samples } = await spoken(text);
            sources.push(await resampled(samples, rate, format.rate));
            streams.push(await RtpStream.open('127.0.0.1'));
          }
          const sdpOf = (stream: RtpStream): string =>
            [
              'v=0',
              'o=party 1 1 IN IP4 127.0.0.1',
              's=-',
              'c=IN IP4 127.0.0.1',
              't=0 0',
              `m=audio ${stream.localPort} RTP/AVP ${format.payloadType}`,
              `a=rtpmap:${rtpmap}`,
              `a=rtcp:${stream.localRtcpPort}`,
              'a=sendrecv',
              '',
            ].join('\r\n');
          // The call of the two parties.
          const [caller, callee] = streams as [RtpStream, RtpStream];
          const common = { 'call-id': callId, 'from-tag': 'caller' };
          const offer = await rtpengine.ask({ command: 'offer', ...common, sdp: sdpOf(caller) });
          const answer = await rtpengine.ask({
            command: 'answer',
            ...common,
            'to-tag': 'callee',
            sdp: sdpOf(callee),
          });
          // What is offered to the callee is where the callee sends, and the other way round.
          const [toCallee] = parseAnswer(offer.sdp ?? '') ?? [];
          const [toCaller] = parseAnswer(answer.sdp ?? '') ?? [];
          await callee.connect({ address: '127.0.0.1', port: toCallee!.port, rtcpPort: toCallee!.rtcpPort });
          await caller.connect({ address: '127.0.0.1', port: toCaller!.port, rtcpPort: toCaller!.rtcpPort });

          // The fork.
          const fork = await rtpengine.ask({
            command: 'subscribe request',
            'call-id': callId,
            'from-tags': ['caller', 'callee'],
            flags: ['siprec'],
          });
          const sdp = fork.sdp ?? '';
          const labels = [...sdp.matchAll(/^a=label:(\S+)/gm)].map((match) => match[1]!);
          expect(labels).toHaveLength(2);
          const dialog = await client.invite({
            to: `sip:recorder@${earshot.sip.host}:${earshot.sip.port};transport=tcp`,
            from: '<sip:rtpengine@127.0.0.1>',
            ...buildSiprecInvite({
              sdp,
              parties: [
                { aor: 'sip:+15550100@example.com', name: 'Caller', label: labels[0]! },
                { aor: 'sip:ann@example.com', name: 'Callee', label: labels[1]! },
              ],
              startedAt: new Date(),
              callReference: callId,
            }),
          });
          const forkAnswer = Buffer.from(dialog.answer.body).toString('utf8');
          await rtpengine.ask({
            command: 'subscribe answer',
            'call-id': callId,
            'to-tag': fork['to-tag'],
            sdp: forkAnswer,
          });

          const encoded = await Promise.all(sources.map((source) => encodedFrames(format, source)));
          const startAtMs = performance.now() + 100;
          for (const [index, stream] of streams.entries()) {
            stream.play({ frames: encoded[index]!, startAtMs, cname: callId });
            pacer.add(stream);
          }
          await Promise.all(streams.map((stream) => stream.finished));
          await dialog.bye();
          await rtpengine.ask({ command: 'delete', 'call-id': callId, 'from-tag': 'caller' });

          const found = await callBySipId(earshot, dialog.callId);
          const call = await recorded(earshot, found?.id ?? '');
          expect(call.channels.map(({ label, codec, packetsLost }) => [label, codec, packetsLost])).toEqual(
            labels.map((label) => [label, format.codec, 0]),
          );
          expect(call.channels.map(({ packetsReceived }) => packetsReceived)).toEqual(
            streams.map(({ packetsSent }) => packetsSent),
          );
          const ledgers = await ledgerOf(earshot, call.id);
          const recording = await recordingOf(earshot, call.id);
          for (const [index, native] of sources.entries()) {
            const ledger = ledgers[index]!;
            const source = await resampled(native, format.rate, 8000);
            const heard = recording[index]!;
            const firstTick = ledger.spans.find(({ kind }) => kind === 'received')!.startTick;
            const whole = source.subarray(0, ledger.sums['received']);
            const { start, longer, segmentalSnrDb } = compared(whole, heard, firstTick);
            expect(start.at - firstTick).toBeLessThanOrEqual(80);
            expect(Math.abs(longer)).toBeLessThanOrEqual(1);
            const sent = Buffer.concat((await encodedFrames(format, native)).map(({ payload }) => payload));
            const reference = compared(whole, await decodedTo8k(sent, encode), 0);
            expect(segmentalSnrDb).toBeGreaterThan(reference.segmentalSnrDb - leastDb);
            expect(ledger.sums).toMatchObject({ concealed: 0, lost: 0, corrected: 0, dtx: 0 });
          }
        } finally {
          pacer.stop();
          for (const stream of streams) await stream.close();
        }
      },
    );
  },
);
