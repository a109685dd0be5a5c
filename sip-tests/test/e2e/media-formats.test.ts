/** Codecs as they are really used: packets of every length, a change of codec in mid-call, and SIPp's own streams. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { CallView } from '@earshot/contracts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EarshotProcess } from '../../src/earshot-process.ts';
import { encodedFrames, type MediaFormat } from '../../src/encoded.ts';
import { hasFfmpeg, resampled } from '../../src/ffmpeg.ts';
import { hasFlite, spoken } from '../../src/flite.ts';
import { MediaCall, type MediaCallResult } from '../../src/media-call.ts';
import { type MediaFrame, RtpPacer } from '../../src/rtp-sender.ts';
import { lagOf, likeness } from '../../src/signal.ts';
import { SipClient } from '../../src/sip-client.ts';
import { compared, expectUnbroken, ledgerOf, recorded, recordingOf } from './recordings.ts';
import { callBySipId } from './support.ts';

const TEXT =
  'good morning, you are through to the billing department. i can see three invoices on your account, and the last one ' +
  'was paid on monday. is there anything else that i can do for you today?';
const hasSipp = existsSync('/usr/bin/sipp');
const sipTests = fileURLToPath(new URL('../../', import.meta.url));

const PCMU: MediaFormat = { codec: 'PCMU', payloadType: 0, rate: 8000, ptimeMs: 20 };
const PCMA: MediaFormat = { codec: 'PCMA', payloadType: 8, rate: 8000, ptimeMs: 20 };
const G722: MediaFormat = { codec: 'G722', payloadType: 9, rate: 16_000, ptimeMs: 20 };
const OPUS: MediaFormat = { codec: 'opus', payloadType: 111, rate: 48_000, ptimeMs: 20, bitrate: 48_000 };
const L16: MediaFormat = { codec: 'L16', payloadType: 96, rate: 16_000, ptimeMs: 20 };

/**
 * Segmental signal to noise, dB: 37 of G.711, 36 of G.722 and 41 of L16 were measured with baresip, and after a change what is kept
 * stays in the law of the first codec. Opus tuned for voices keeps how it sounds more than how its waveform runs. A codec that is
 * decoded wrongly, or one packet out of place, is below 10.
 */
const LEAST_DB: Readonly<Record<MediaFormat['codec'], number>> = {
  PCMU: 36,
  PCMA: 36,
  G722: 32,
  L16: 36,
  opus: 12,
};
const LEAST_AFTER_CHANGE_DB = 28;

let earshot: EarshotProcess;
let client: SipClient;
let speech: { rate: number; samples: Int16Array };
let source: Int16Array;
const pacer = new RtpPacer();

beforeAll(async () => {
  if (!hasFfmpeg || !hasFlite) return;
  speech = await spoken(TEXT);
  source = await resampled(speech.samples, speech.rate, 8000);
  earshot = await EarshotProcess.start();
  client = await SipClient.open({ server: earshot.sip, transport: 'udp' });
}, 180_000);
afterAll(async () => {
  pacer.stop();
  await client?.close();
  await earshot?.stop();
}, 60_000);

const framesOf = async (format: MediaFormat): Promise<MediaFrame[]> =>
  encodedFrames(format, await resampled(speech.samples, speech.rate, format.rate));

async function outcome(sipCallId: string) {
  const found = await callBySipId(earshot, sipCallId);
  const call = await recorded(earshot, found?.id ?? '');
  const [ledger] = await ledgerOf(earshot, call.id);
  const [recording] = await recordingOf(earshot, call.id);
  const firstTick = ledger!.spans.find(({ kind }) => kind === 'received')!.startTick;
  return { call, ledger: ledger!, recording: recording!, firstTick };
}

/** Where each codec begins in `source`, in ticks; each a third of it, in whole packets of 60 ms. */
async function pieces(
  formats: readonly MediaFormat[],
): Promise<{ at: number; length: number; frames: MediaFrame[] }[]> {
  const each = Math.floor(source.length / formats.length / 480) * 480;
  return Promise.all(
    formats.map(async (format, index) => {
      const native = await resampled(speech.samples, speech.rate, format.rate);
      const perTick = format.rate / 8000;
      const part = native.slice(index * each * perTick, (index + 1) * each * perTick);
      const frames = (await encodedFrames(format, part)).slice(0, each / (8 * format.ptimeMs));
      return { at: index * each, length: each, frames };
    }),
  );
}

function expectPieces(
  parts: readonly { at: number; length: number }[],
  recording: Int16Array,
  firstTick: number,
  leastDb: readonly number[],
): void {
  for (const [index, { at, length }] of parts.entries()) {
    // The ends of a piece are left out: codecs need some milliseconds to come in, and hold back some.
    const wanted = source.subarray(at + 800, at + length - 800);
    const lag = lagOf(
      wanted.subarray(0, 8000),
      recording,
      firstTick + at + 800 - 160,
      firstTick + at + 800 + 160,
    );
    expect(Math.abs(lag.at - (firstTick + at + 800)), `piece ${index} out of place`).toBeLessThanOrEqual(80);
    const { segmentalSnrDb } = likeness(wanted, recording.subarray(lag.at));
    expect(segmentalSnrDb, `piece ${index}`).toBeGreaterThan(leastDb[index]!);
  }
}

describe.skipIf(!hasFfmpeg || !hasFlite)('a stream (Debian: ffmpeg, flite)', () => {
  const ptimes: MediaFormat[] = [
    ...[PCMU, PCMA, G722, L16].flatMap((format) =>
      [10, 20, 30, 40, 60]
        // 60 ms of L16 at 16 kHz is more than a datagram takes without being cut up.
        .filter((ptimeMs) => format !== L16 || ptimeMs <= 40)
        .map((ptimeMs) => ({ ...format, ptimeMs })),
    ),
    ...[10, 20, 40, 60].map((ptimeMs) => ({ ...OPUS, ptimeMs })),
  ];

  test(
    'is recorded to the sample with packets of 10, 20, 30, 40 and 60 ms, in each codec',
    { timeout: 120_000 },
    async () => {
      // Encoded before anything is sent: a sender that is held up for half a second has a gap, and rightly.
      const calls: { format: MediaFormat; frames: MediaFrame[] }[] = [];
      for (const format of ptimes) calls.push({ format, frames: await framesOf(format) });
      // One is answered before the next begins: it is the packets of all that are to come at once, not their INVITEs.
      const running: { format: MediaFormat; frames: MediaFrame[]; ended: Promise<MediaCallResult> }[] = [];
      for (const { format, frames } of calls) {
        const answered = Promise.withResolvers<void>();
        const call = new MediaCall({ client, pacer, formats: [format], frames });
        const ended = call.run(() => Promise.resolve(answered.resolve()));
        running.push({ format, frames, ended });
        await Promise.race([answered.promise, ended]);
      }
      await Promise.all(running.map(({ ended }) => ended));
      for (const { format, frames, ended } of running) {
        const result = await ended;
        const name = `${format.codec}, ${format.ptimeMs} ms`;
        const { call, ledger, recording, firstTick } = await outcome(result.callId);
        expect(call.channels, name).toMatchObject([{ packetsReceived: frames.length, packetsLost: 0 }]);
        const ticks = frames.length * format.ptimeMs * 8;
        expectUnbroken(ledger, ticks, name);
        const whole = source.subarray(0, ticks);
        const { longer, segmentalSnrDb } = compared(whole, recording, firstTick);
        expect(Math.abs(longer), name).toBeLessThanOrEqual(1);
        expect(segmentalSnrDb, name).toBeGreaterThan(LEAST_DB[format.codec]);
      }
    },
  );

  test(
    'may change its codec from one packet to the next, with no sample too many or too few',
    { timeout: 60_000 },
    async () => {
      const formats = [PCMU, G722, PCMA];
      const parts = await pieces(formats);
      const frames = parts.flatMap((part) => part.frames);
      const result = await new MediaCall({ client, pacer, formats, frames }).run();
      expect(result.answered).toEqual(expect.arrayContaining([0, 9, 8]));
      const { call, ledger, recording, firstTick } = await outcome(result.callId);
      expect(call.channels).toMatchObject([{ packetsReceived: frames.length, packetsLost: 0 }]);
      expectUnbroken(ledger, frames.length * 160);
      expectPieces(parts, recording, firstTick, [36, LEAST_AFTER_CHANGE_DB, LEAST_AFTER_CHANGE_DB]);
    },
  );

  test(
    'may change its codec by a re-INVITE, to one with another clock, and back',
    { timeout: 60_000 },
    async () => {
      const parts = await pieces([PCMU, OPUS, PCMU]);
      const frames = parts.flatMap((part) => part.frames);
      const call = new MediaCall({ client, pacer, formats: [PCMU], frames });
      const answers: number[][] = [];
      const sent = (packets: number) =>
        expect
          .poll(() => call.packetsSent, { timeout: 20_000, interval: 10 })
          .toBeGreaterThanOrEqual(packets);
      const change = parts[0]!.frames.length;
      const result = await call.run(async () => {
        // Offered some packets before it is used, as a caller does that waits for the answer: both are taken in between.
        await sent(change - 25);
        answers.push(await call.reinvite([PCMU, OPUS]));
        await sent(2 * change + 10);
        answers.push(await call.reinvite([PCMU]));
      });
      expect(answers).toEqual([[0, 111], [0]]);
      const { ledger, recording, firstTick } = await outcome(result.callId);
      expectUnbroken(ledger, frames.length * 160);
      expectPieces(parts, recording, firstTick, [36, 12, 36]);
    },
  );
});

describe.skipIf(!hasSipp || !hasFfmpeg || !hasFlite)('SIPp (Debian: sip-tester, ffmpeg, flite)', () => {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sipp-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test.each([PCMU, PCMA, G722])(
    'with a $codec file is recorded as it played it',
    async (format) => {
      const frames = await framesOf(format);
      const audio = join(folder, `${format.codec}.raw`);
      await writeFile(audio, Buffer.concat(frames.map(({ payload }) => payload)));
      const scenario = (await readFile(join(sipTests, 'scenarios', 'plain.xml'), 'utf8'))
        .replaceAll('RTP/AVP 0', `RTP/AVP ${format.payloadType}`)
        .replace('a=rtpmap:0 PCMU/8000', `a=rtpmap:${format.payloadType} ${format.codec}/8000`)
        .replace(/rtp_stream="[^"]*"/, `rtp_stream="${audio},1,${format.payloadType}"`);
      const file = join(folder, `${format.codec}.xml`);
      await writeFile(file, scenario);
      const before = new Set((await calls()).map(({ id }) => id));
      const target = `${earshot.sip.host}:${earshot.sip.port}`;
      const lastsMs = String(frames.length * 20 + 500);
      const argv = [
        target,
        '-sf',
        file,
        '-inf',
        join(sipTests, 'scenarios', 'callers.csv'),
        '-i',
        '127.0.0.1',
      ];
      argv.push('-mi', '127.0.0.1', '-m', '1', '-d', lastsMs, '-nostdin', '-timeout', '60', '-s', 'recorder');
      await promisify(execFile)('/usr/bin/sipp', argv, { cwd: folder, timeout: 60_000 });
      const mine = async (): Promise<CallView | undefined> =>
        (await calls()).find(({ id }) => !before.has(id));
      await expect.poll(async () => (await mine())?.state, { timeout: 10_000, interval: 200 }).toBe('ended');
      const { call, ledger, recording, firstTick } = await outcome((await mine())?.sip.callId ?? '');
      expect(call.channels).toMatchObject([{ codec: format.codec, packetsLost: 0 }]);
      // What SIPp sends of the file's last packet and after it is its own affair: 100 ms are left out.
      const whole = source.subarray(0, Math.min(ledger.sums['received']!, frames.length * 160) - 800);
      const { longer, segmentalSnrDb } = compared(whole, recording, firstTick);
      expect(Math.abs(longer)).toBeLessThanOrEqual(1);
      expect(segmentalSnrDb).toBeGreaterThan(LEAST_DB[format.codec]);
    },
    90_000,
  );

  const calls = async (): Promise<CallView[]> =>
    (await earshot.get<{ items: CallView[] }>('/v1/calls?limit=100')).items;
});
