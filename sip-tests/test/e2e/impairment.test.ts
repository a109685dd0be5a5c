/** Bad networks: what was lost is known to the sample, and cannot be heard as a click. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EarshotProcess } from '../../src/earshot-process.ts';
import { encodedFrames, type MediaFormat } from '../../src/encoded.ts';
import { hasFfmpeg, resampled } from '../../src/ffmpeg.ts';
import { hasFlite, spoken } from '../../src/flite.ts';
import { NETWORK_CONDITIONS } from '../../src/impairment.ts';
import { MediaCall, type MediaCallResult } from '../../src/media-call.ts';
import { type MediaFrame, RtpPacer } from '../../src/rtp-sender.ts';
import { seamExcesses } from '../../src/signal.ts';
import { SipClient } from '../../src/sip-client.ts';
import { compared, type LedgerChannelView, ledgerOf, recorded, recordingOf } from './recordings.ts';
import { callBySipId } from './support.ts';

const TEXT =
  'good morning, you are through to the billing department. i can see three invoices on your account, and the last one ' +
  'was paid on monday. the other two are still open, and they add up to forty two pounds and fifty pence. would you ' +
  'like to pay them now by card, or shall i send you a letter with the bank details?';
const FORMATS: readonly MediaFormat[] = [
  { codec: 'PCMU', payloadType: 0, rate: 8000, ptimeMs: 20 },
  { codec: 'opus', payloadType: 111, rate: 48_000, ptimeMs: 20 },
];
/** Each with losses of its own. */
const CONDITIONS = NETWORK_CONDITIONS.map(({ name, impairment }, index) => ({
  name,
  impairment: { ...impairment, seed: 11 + index },
  lossless: impairment.lossRate === undefined,
}));
/** Every call begins and ends with packets that nothing is done to: where it begins and ends can then be said exactly. */
const WHOLE_PACKETS = 15;

interface Outcome {
  readonly result: MediaCallResult;
  readonly lost: number;
  readonly ledger: LedgerChannelView;
  readonly recording: Int16Array;
  readonly firstTick: number;
}

describe.skipIf(!hasFfmpeg || !hasFlite)('a bad network (Debian: ffmpeg, flite)', () => {
  let earshot: EarshotProcess;
  let client: SipClient;
  let source: Int16Array;
  const pacer = new RtpPacer();
  const frames = new Map<string, MediaFrame[]>();
  const outcomes = new Map<string, Outcome>();

  beforeAll(async () => {
    const { rate, samples } = await spoken(TEXT);
    source = await resampled(samples, rate, 8000);
    for (const format of FORMATS) {
      frames.set(format.codec, await encodedFrames(format, await resampled(samples, rate, format.rate)));
    }
    earshot = await EarshotProcess.start();
    client = await SipClient.open({ server: earshot.sip, transport: 'udp' });
    // All at once: each lasts as long as the speech.
    await Promise.all(
      FORMATS.flatMap((format) =>
        [...CONDITIONS, { name: 'clean', impairment: undefined }].map(async ({ name, impairment }) => {
          const call = new MediaCall({
            client,
            pacer,
            formats: [format],
            frames: frames.get(format.codec)!,
            ...(impairment && { impairment: { ...impairment, wholePackets: WHOLE_PACKETS } }),
          });
          const result = await call.run();
          const found = await callBySipId(earshot, result.callId);
          const { id, channels } = await recorded(earshot, found?.id ?? '');
          const [ledger] = await ledgerOf(earshot, id);
          const [recording] = await recordingOf(earshot, id);
          const firstTick = ledger!.spans.find(({ kind }) => kind === 'received')!.startTick;
          const lost = channels[0]!.packetsLost ?? NaN;
          outcomes.set(`${format.codec} ${name}`, {
            result,
            lost,
            ledger: ledger!,
            recording: recording!,
            firstTick,
          });
        }),
      ),
    );
  }, 240_000);
  afterAll(async () => {
    pacer.stop();
    await client?.close();
    await earshot?.stop();
  }, 60_000);

  describe.each(FORMATS)('for $codec', ({ codec }) => {
    test.each(CONDITIONS)('$name: the recording is as long as what was said, to the sample', ({ name }) => {
      const { ledger, firstTick, recording } = outcomes.get(`${codec} ${name}`)!;
      const ticks = frames.get(codec)!.length * 160;
      const heard = ledger.spans.filter(({ kind }) => kind !== 'absent');
      const end = heard.at(-1)!;
      expect(end.startTick + end.ticks - firstTick).toBe(ticks);
      const { longer } = compared(source.subarray(0, Math.min(source.length, ticks)), recording, firstTick);
      expect(Math.abs(longer)).toBeLessThanOrEqual(1);
    });

    test.each(CONDITIONS)(
      '$name: the ledger says of every packet what became of it',
      ({ name, impairment }) => {
        const jittered = impairment.jitterMs !== undefined;
        const { ledger, result, lost } = outcomes.get(`${codec} ${name}`)!;
        const { sums } = ledger;
        const packets = frames.get(codec)!.length;
        expect(sums['concealed']! + sums['lost']!).toBe(160 * lost);
        expect(sums['received']).toBe(160 * (packets - lost));
        expect(sums).toMatchObject({ dtx: 0, held: 0, paused: 0, corrected: 0 });
        // A machine that is busy holds up sender and receiver: then a packet or two come too late even for 50 ms of jitter.
        const late = jittered ? packets / 100 : 0;
        expect(lost).toBeGreaterThanOrEqual(result.lost);
        expect(lost).toBeLessThanOrEqual(result.lost + late);
      },
    );

    test.each(CONDITIONS.filter(({ lossless }) => !lossless))(
      '$name: where lost packets were made up there is no click',
      ({ name }) => {
        const { ledger, recording } = outcomes.get(`${codec} ${name}`)!;
        const clean = outcomes.get(`${codec} clean`)!;
        const shift = clean.firstTick - outcomes.get(`${codec} ${name}`)!.firstTick;
        const spans = ledger.spans.filter(({ kind }) => kind === 'concealed');
        // What silence in the same places would be: that clicks, so the measure can tell.
        const silenced = Int16Array.from(recording, (_, at) => clean.recording[at + shift] ?? 0);
        for (const { startTick, ticks } of spans) silenced.fill(0, startTick, startTick + ticks);
        const worstOf = (heard: Int16Array): number => {
          const excesses = spans.flatMap(({ startTick, ticks }) =>
            seamExcesses(clean.recording, heard, startTick, ticks, shift),
          );
          expect(excesses.length).toBeGreaterThan(10);
          return excesses.sort((a, b) => a - b)[Math.floor(0.95 * excesses.length)]!;
        };
        const worst = worstOf(recording);
        expect(worst).toBeLessThan(6);
        expect(worstOf(silenced)).toBeGreaterThan(worst + 3);
      },
    );
  });
});
