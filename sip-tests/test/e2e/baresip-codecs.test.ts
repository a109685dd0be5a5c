/** baresip with every codec that it has: what is recorded is what it played, within the codec's own error. */
import type { CallView } from '@earshot/contracts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Baresip, baresipAddress, type BaresipCall, canBaresip } from '../../src/baresip.ts';
import { EarshotProcess } from '../../src/earshot-process.ts';
import { decodedTo8k, ffmpeg, hasFfmpeg, resampled } from '../../src/ffmpeg.ts';
import { hasFlite, spoken } from '../../src/flite.ts';
import { encodeWav } from '../../src/wav.ts';
import { compared, expectUnbroken, ledgerOf, recorded, recordingOf } from './recordings.ts';

const TEXT =
  'the quick brown fox jumps over the lazy dog. please call me back on friday afternoon about the delivery of ' +
  'the red bicycle, thank you very much indeed.';
/** Pressed during the call with G.722; no log and no answer of the API may have them in a row, or as a digit of their own. */
const KEYS = '73946182';
/** What Opus is told to spend in baresip and in ffmpeg, bits a second. */
const OPUS_BITRATE = 40_000;

interface CodecCase {
  readonly name: string;
  readonly rate: number;
  readonly channels: 1 | 2;
  /** As the call's view names it. */
  readonly shown: string;
  /** ffmpeg's encoder of the same codec, and what it takes to read what came out; null: the codec has no error. */
  readonly reference: { readonly encode: readonly string[]; readonly decode: readonly string[] } | null;
}

/**
 * Beyond the error of ffmpeg's own encoder and decoder, dB of segmental signal to noise. G.711 has but one way to be encoded. What is
 * decoded of G.722 is brought down to 8 kHz by another low-pass than the source, and its noise at the band's end folds,
 * which costs 3.2 dB of ffmpeg's 39.5. Opus leaves it to the encoder what to do with its bits.
 */
const MARGIN_DB: Readonly<Record<string, number>> = { PCMU: 0.5, PCMA: 0.5, G722: 4.5, opus: 5 };
/** Of 16 kHz brought down to 8 kHz by two different low-passes, measured: 40.9 to 44.4 dB. Kept at 8 kHz the samples are the same. */
const L16_LEAST_DB: Readonly<Record<number, number>> = { 8000: 44.9, 16_000: 38 };

const CASES: readonly CodecCase[] = [
  {
    name: 'PCMU/8000/1',
    rate: 8000,
    channels: 1,
    shown: 'PCMU',
    reference: { encode: ['-f', 'mulaw'], decode: ['-f', 'mulaw', '-ar', '8000', '-ac', '1'] },
  },
  {
    name: 'PCMA/8000/1',
    rate: 8000,
    channels: 1,
    shown: 'PCMA',
    reference: { encode: ['-f', 'alaw'], decode: ['-f', 'alaw', '-ar', '8000', '-ac', '1'] },
  },
  {
    name: 'G722/16000/1',
    rate: 16_000,
    channels: 1,
    shown: 'G722',
    reference: { encode: ['-c:a', 'g722', '-f', 'g722'], decode: ['-f', 'g722'] },
  },
  {
    name: 'opus/48000/2',
    rate: 48_000,
    channels: 2,
    shown: 'opus',
    reference: {
      encode: ['-c:a', 'libopus', '-b:a', String(OPUS_BITRATE), '-application', 'audio', '-f', 'ogg'],
      decode: ['-f', 'ogg'],
    },
  },
  { name: 'L16/8000/1', rate: 8000, channels: 1, shown: 'L16', reference: null },
  { name: 'L16/16000/1', rate: 16_000, channels: 1, shown: 'L16', reference: null },
];

describe.skipIf(!canBaresip || !hasFfmpeg || !hasFlite)(
  'a baresip call (Debian: baresip-core, ffmpeg, flite; a network address)',
  () => {
    let earshot: EarshotProcess;
    let speech: { rate: number; samples: Int16Array };
    let source: Int16Array;

    beforeAll(async () => {
      speech = await spoken(TEXT);
      source = await resampled(speech.samples, speech.rate, 8000);
      earshot = await EarshotProcess.start({
        env: { LOG_LEVEL: 'trace', RTP_BIND: baresipAddress ?? '' },
      });
    }, 180_000);
    afterAll(() => earshot?.stop(), 60_000);

    const calls = async (): Promise<CallView[]> =>
      (await earshot.get<{ items: CallView[] }>('/v1/calls?limit=100')).items;

    /** Has baresip play the WAV in a call. @returns the call when its recording is there, and its ledger's only channel */
    async function play(
      codec: CodecCase,
      wav: Buffer,
      during: (phone: Baresip) => Promise<void>,
      protection: Partial<BaresipCall> = {},
    ) {
      const before = new Set((await calls()).map(({ id }) => id));
      const phone = await Baresip.call({
        target: `sip:recorder@${earshot.sip.host}:${earshot.sip.port}`,
        codec: codec.name,
        rate: codec.rate,
        channels: codec.channels,
        wav,
        config: [`opus_bitrate ${OPUS_BITRATE}`, 'opus_application audio'],
        ...protection,
      });
      const mine = async (): Promise<CallView | undefined> =>
        (await calls()).find(({ id }) => !before.has(id));
      try {
        await expect.poll(mine, { timeout: 20_000, interval: 100 }).toBeDefined();
        await during(phone);
        await expect
          .poll(async () => (await mine())?.state, { timeout: 30_000, interval: 200, message: phone.printed })
          .toBe('ended');
      } finally {
        await phone.quit();
      }
      const id = (await mine())?.id ?? '';
      const call = await recorded(earshot, id);
      const [ledger] = await ledgerOf(earshot, id);
      const [recording] = await recordingOf(earshot, id);
      return { call, ledger: ledger!, recording: recording!, printed: phone.printed };
    }

    test.each(CASES)(
      'with $name is recorded as it was played, to the sample in time and within the error of the codec',
      { timeout: 90_000 },
      async (codec) => {
        const native = await resampled(speech.samples, speech.rate, codec.rate);
        const wav = encodeWav({
          rate: codec.rate,
          channels: codec.channels === 2 ? [native, native] : [native],
        });
        const keys = codec.shown === 'G722' ? KEYS : '';
        const { call, ledger, recording } = await play(codec, wav, async (phone) => {
          for (const [index, key] of [...keys].entries()) {
            phone.press(key);
            // baresip lets go of a key when the next is pressed; each has to be up before it goes down again.
            await expect
              .poll(() => phone.printed.split('send DTMF digit end').length - 1, {
                timeout: 5000,
                interval: 20,
              })
              .toBeGreaterThan(index);
          }
        });
        expect(call.channels).toMatchObject([{ codec: codec.shown, packetsLost: 0 }]);

        // All that it played is there, and at most what it plays until it has hung up.
        const received = ledger.sums['received'] ?? 0;
        expect(received).toBeGreaterThanOrEqual(source.length - 160);
        const firstReceived = expectUnbroken(ledger, received);
        const { start, longer, segmentalSnrDb, gainDb } = compared(source, recording, firstReceived);
        // Filters and Opus's look-ahead delay sound by up to 10 ms; nothing else may.
        expect(start.at - firstReceived).toBeGreaterThanOrEqual(0);
        expect(start.at - firstReceived).toBeLessThanOrEqual(80);
        expect(Math.abs(longer), 'longer or shorter by samples').toBeLessThanOrEqual(1);
        expect(Math.abs(gainDb), 'louder by dB').toBeLessThan(0.3);

        let least = L16_LEAST_DB[codec.rate] ?? Infinity;
        if (codec.reference !== null) {
          const encoded = await ffmpeg(wav, codec.reference.encode);
          const decoded = await decodedTo8k(encoded, codec.reference.decode);
          least = compared(source, decoded, 0).segmentalSnrDb - MARGIN_DB[codec.shown]!;
        }
        expect(segmentalSnrDb).toBeGreaterThan(least);

        expect(ledger.notes.filter(({ kind }) => kind === 'key')).toHaveLength(keys.length);
        expect(ledger.notes.filter(({ kind }) => kind !== 'key')).toEqual([]);
      },
    );

    test.each(CASES.filter(({ name }) => /PCMA|opus/.test(name)))(
      'with $name and SRTP is recorded as it was played, also after the keys were offered anew',
      { timeout: 90_000 },
      async (codec) => {
        const native = await resampled(speech.samples, speech.rate, codec.rate);
        const wav = encodeWav({
          rate: codec.rate,
          channels: codec.channels === 2 ? [native, native] : [native],
        });
        const { call, ledger, recording, printed } = await play(
          codec,
          wav,
          async (phone) => {
            // Hold and resume at once: two re-INVITEs. On hold it sends nothing, and its file runs on.
            for (const [index, key] of ['x', 'X'].entries()) {
              const answers = () => phone.printed.split('got SDP answer').length - 1;
              phone.press(key);
              await expect.poll(answers, { timeout: 5000, interval: 50 }).toBeGreaterThanOrEqual(index + 2);
            }
          },
          { modules: ['srtp'], account: ';mediaenc=srtp-mand' },
        );
        expect(printed).toMatch(/srtp/i);
        expect(call.channels).toMatchObject([{ codec: codec.shown, packetsLost: 0 }]);
        const heard = ledger.spans.filter(({ kind }) => kind !== 'absent');
        expect(heard.map(({ kind }) => kind)).toEqual(['received', 'dtx', 'received']);
        expect(heard.reduce((sum, { ticks }) => sum + ticks, 0)).toBeGreaterThanOrEqual(source.length - 160);
        // Behind the hold, where it was in the file by then.
        const resumed = heard[2]!.startTick - heard[0]!.startTick;
        expect(resumed).toBeLessThan(16_000);
        const rest = source.subarray(resumed + 800);
        const { start, longer, segmentalSnrDb } = compared(rest, recording, heard[2]!.startTick + 800);
        expect(start.at - heard[2]!.startTick - 800).toBeLessThanOrEqual(80);
        expect(Math.abs(longer)).toBeLessThanOrEqual(1);
        expect(segmentalSnrDb).toBeGreaterThan(codec.shown === 'opus' ? 25 : 36);
        // No key in a log, at any level.
        for (const line of earshot.lines) expect(line).not.toMatch(/inline:|"salt"|"masterKey"/i);
      },
    );

    test('that pressed keys leaves none of them in a log or an answer of the API', async () => {
      const [call] = (await calls()).filter(({ channels }) => channels[0]?.codec === 'G722');
      const id = call?.id ?? '';
      const ledger = JSON.stringify(await earshot.get(`/v1/calls/${id}/ledger`));
      const metrics = await earshot.get<string>('/metrics');
      expect(ledger.match(/"key"/g)).toHaveLength(KEYS.length);
      // A note says when and how long, and no more: a digit would be a field of its own.
      const notes = (JSON.parse(ledger) as { channels: { notes: Record<string, unknown>[] }[] }).channels[0]!
        .notes;
      for (const note of notes) expect(Object.keys(note).sort()).toEqual(['atMs', 'kind', 'tick', 'value']);
      const texts = [
        ledger,
        metrics,
        JSON.stringify(await earshot.get(`/v1/calls/${id}`)),
        JSON.stringify(await earshot.get(`/v1/calls/${id}/transcript`)),
        JSON.stringify(await earshot.get(`/v1/calls/${id}/events`).catch(() => null)),
        ...earshot.lines,
      ];
      for (const text of texts) {
        expect(text).not.toContain(KEYS);
        expect(text).not.toContain([...KEYS].join(','));
        expect(text).not.toMatch(/"(digit|digits|dtmf|key|event)":\s*"?[0-9A-D*#]\b/i);
      }
    });
  },
);
