import {
  type ChannelTotals,
  type DiskRecord,
  FINDING_CODES,
  type FindingView,
  type LedgerSpanView,
  NO_DISK_TROUBLE,
  SPAN_KINDS,
  type SpanKind,
} from '@earshot/contracts';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type CallEvidence, type ChannelEvidence, diagnose } from '../src/diagnosis/diagnosis.ts';
import { sipStoryOf } from '../src/diagnosis/sip-story.ts';
import { traceViewOf } from '../src/formats/trace.ts';

type Spans = readonly (readonly [SpanKind, number])[];

/** @param spans kinds and seconds */
function ledgerOf(spans: Spans, undecidedSeconds = 0): NonNullable<ChannelEvidence['ledger']> {
  const sums = Object.fromEntries(SPAN_KINDS.map((kind) => [kind, 0])) as Record<SpanKind, number>;
  let at = 0;
  const listed = spans.map(([kind, seconds]): LedgerSpanView => {
    const [startTick, ticks] = [at, seconds * 8000];
    at += ticks;
    sums[kind] += ticks;
    return { kind, startTick, ticks, startMs: startTick / 8, endMs: at / 8 };
  });
  const undecided = undecidedSeconds * 8000;
  const proof = { recognised: 0, silence: 0, gaps: 0, undecided };
  return { durationTicks: at, sums, proof, spans: listed };
}

const totals = (more: Partial<ChannelTotals> = {}): ChannelTotals => ({
  channel: 'c:0' as never,
  endTick: 0,
  packetsReceived: 0,
  packetsLost: 0,
  packetsLate: 0,
  packetsDuplicate: 0,
  packetsRejected: 0,
  ...more,
});

const channel = (spans: Spans, more: Partial<ChannelEvidence> = {}): ChannelEvidence => ({
  index: 0,
  label: '1',
  segments: 0,
  ledger: ledgerOf(spans),
  totals: totals(),
  ...more,
});

const findingsOf = (evidence: Partial<CallEvidence>): readonly FindingView[] =>
  diagnose({
    callId: 'c',
    state: 'ended',
    endReason: 'bye',
    disk: NO_DISK_TROUBLE,
    recognition: 'current',
    trace: [],
    channels: [],
    ...evidence,
  }).findings;
const codesOf = (...channels: ChannelEvidence[]): string[] =>
  findingsOf({ channels }).map(({ code }) => code);

const sdp = (...lines: string[]): string =>
  ['v=0', 'o=- 1 1 IN IP4 192.0.2.7', 's=-', ...lines, ''].join('\r\n');
const invite = (body: string): string =>
  `INVITE sip:1 SIP/2.0\r\nCSeq: 1 INVITE\r\nContent-Type: application/sdp\r\n\r\n${body}`;
const ok = (body: string): string => `SIP/2.0 200 OK\r\nCSeq: 1 INVITE\r\n\r\n${body}`;
const traced = (...messages: (readonly ['in' | 'out', string])[]) =>
  traceViewOf(
    'c',
    0,
    messages.map(([direction, text], n) => ({
      atUs: n * 1000,
      direction,
      transport: 'udp',
      local: null,
      remote: null,
      text,
      omitted: 0,
    })),
  ).items;
const ACK = ['in', 'ACK sip:1 SIP/2.0\r\nCSeq: 1 ACK\r\n\r\n'] as const;

describe('by the ledger', () => {
  test('nothing came, or nothing that could be used', () => {
    expect(codesOf(channel([['absent', 30]]))).toEqual(['no-packets']);
    expect(codesOf(channel([]))).toEqual(['no-packets']);
    const rejected = totals({ packetsRejected: 500 });
    expect(codesOf(channel([['absent', 30]], { totals: rejected }))).toEqual(['packets-rejected']);
    expect(codesOf(channel([], { ledger: null, totals: rejected }))).toEqual(['packets-rejected']);
    expect(codesOf(channel([], { ledger: null, totals: null }))).toEqual(['unexplained']);
  });

  test('it was paused, on hold, or the sender had nothing to send', () => {
    expect(codesOf(channel([['paused', 30]]))).toEqual(['paused']);
    expect(codesOf(channel([['held', 30]]))).toEqual(['on-hold']);
    expect(codesOf(channel([['dtx', 30]]))).toEqual(['silence-not-sent']);
    const noise = channel([
      ['received', 1],
      ['dtx', 30],
    ]);
    expect(codesOf(noise)).toContain('silence-not-sent');
  });

  test('packets were lost, or stopped', () => {
    const lossy = channel([
      ['received', 10],
      ['lost', 10],
    ]);
    expect(codesOf(lossy)[0]).toBe('packets-lost');
    const totals = { ...lossy.totals!, packetsLost: 3, packetsRejected: 500 };
    expect(codesOf({ ...lossy, totals })[0]).toBe('packets-rejected');
    const stopped = channel([
      ['received', 3],
      ['absent', 60],
    ]);
    expect(codesOf(stopped)[0]).toBe('packets-stopped');
    expect(findingsOf({ channels: [stopped] })[0]!.evidence).toEqual([
      'the last one came at 3.0 s of 63.0 s',
    ]);
  });

  test('the engines are behind', () => {
    const behind = channel([], { ledger: ledgerOf([['received', 20]], 15) });
    expect(codesOf(behind)).toEqual(['not-recognised-yet']);
  });

  test('what is so on all channels is told once, and what is so on one, of that one', () => {
    const silent = [channel([['absent', 9]]), channel([['absent', 9]], { index: 1 })];
    expect(findingsOf({ channels: silent }).map(({ code, channel: on }) => [code, on])).toEqual([
      ['no-packets', null],
    ]);
    const other = channel([['held', 9]], { index: 1 });
    expect(findingsOf({ channels: [silent[0]!, other] }).map(({ code, channel: on }) => [code, on])).toEqual([
      ['on-hold', 1],
      ['no-packets', 0],
    ]);
  });
});

describe('by how loud it was', () => {
  const sound = (peakDbov: number, meanDbov: number, speechSeconds: number): string[] =>
    codesOf(
      channel([['received', 60]], {
        totals: totals({
          packetsReceived: 3000,
          levels: { peakDbov, meanDbov, speechTicks: speechSeconds * 8000 },
        }),
      }),
    );

  test('there was no speech, or it was too quiet, too loud, or not understood', () => {
    expect(sound(-70, -75, 0)).toEqual(['silence']);
    expect(sound(-40, -52, 20)).toEqual(['too-quiet']);
    expect(sound(-1, -5, 20)).toEqual(['clipped']);
    expect(sound(-12, -25, 20)).toEqual(['speech-not-understood']);
  });

  test('without levels nothing is said of how it sounded', () => {
    expect(codesOf(channel([['received', 60]]))).toEqual(['no-words']);
    expect(codesOf(channel([['received', 0.5]]))).toEqual(['no-words', 'too-short']);
  });
});

describe('by the trace', () => {
  const offer = sdp(
    'c=IN IP4 192.0.2.7',
    'm=audio 30000 RTP/AVP 18',
    'a=rtpmap:18 G729/8000',
    'a=label:1',
    'a=sendonly',
  );
  const answer = (port: number): string =>
    sdp('c=IN IP4 192.0.2.1', `m=audio ${port} RTP/AVP 18`, 'a=label:1');

  test('our answer was never acknowledged', () => {
    const trace = traced(['in', invite(offer)], ['out', ok(answer(20_000))]);
    expect(findingsOf({ trace })[0]).toMatchObject({
      code: 'never-acknowledged',
      evidence: ['200 OK (INVITE) at 0.001 s; no ACK came', 'ended by bye'],
    });
    expect(findingsOf({ endReason: 'ack-timeout' })[0]!.code).toBe('never-acknowledged');
    expect(findingsOf({ trace: [...trace, ...traced(ACK)] })[0]!.code).toBe('unexplained');
    expect(findingsOf({ trace, state: 'live', endReason: null })[0]!.code).toBe('unexplained');
  });

  test('a stream was refused, none was offered, or all were on hold all along', () => {
    const refused = traced(['in', invite(offer)], ['out', ok(answer(0))], ACK);
    expect(findingsOf({ trace: refused })).toMatchObject([
      { code: 'streams-refused', evidence: ['stream 1: RTP/AVP 18 G729, port 30000, sendonly'] },
    ]);
    for (const changed of [
      offer.replace('30000', '0'),
      offer.replace('sendonly', 'inactive'),
      offer.replace('192.0.2.7\r\nm', '0.0.0.0\r\nm'),
    ]) {
      const trace = traced(['in', invite(changed)], ['out', ok(answer(20_000))], ACK);
      expect(findingsOf({ trace }).map(({ code }) => code)).toEqual(['nothing-offered']);
    }
    const taken = traced(['in', invite(offer.replace('sendonly', 'inactive'))], ['in', invite(offer)], ACK);
    expect(sipStoryOf(taken).alwaysHeld).toBe(false);
  });

  test('an SDP is found in a multipart body, and the addresses are named where no packet came', () => {
    const body = `--b\r\nContent-Type: application/sdp\r\n\r\n${offer}--b\r\n\r\n<recording/>\r\n--b--`;
    const trace = traced(['in', invite(body)], ['out', ok(answer(20_004))], ACK);
    const [found] = findingsOf({ trace, channels: [channel([['absent', 9]])] });
    expect(found).toMatchObject({ code: 'no-packets', channel: 0 });
    expect(found!.evidence).toContain('our answer names 192.0.2.1:20004 for it');
    expect(found!.evidence).toContain('the caller names 192.0.2.7:30000');
  });
});

test('a call that was recorded first says that its words follow', () => {
  const waiting = { ledger: ledgerOf([['received', 60]], 60) };
  const found = findingsOf({ recognition: 'waiting', channels: [channel([], waiting)] });
  expect(found[0]).toMatchObject({ code: 'recorded-first', channel: null });
  expect(found.map(({ code }) => code)).not.toContain('unexplained');
});

test('that the disk did not keep the audio is said of a call with words, too, and explains no silence', () => {
  const low: DiskRecord = { low: true, failing: [], failed: false };
  const codes = (segments: number, disk: DiskRecord): string[] =>
    findingsOf({ disk, channels: [channel([['received', 9]], { segments, totals: null })] }).map(
      ({ code }) => code,
    );
  expect(codes(1, NO_DISK_TROUBLE)).toEqual([]);
  expect(codes(1, low)).toEqual(['disk-low']);
  expect(codes(0, { ...low, failed: true })).toEqual(['no-words', 'disk-low', 'disk-full']);
  expect(codes(1, { low: false, failing: [0], failed: true })).toEqual(['disk-full']);
});

test('whatever is known of a call, it is explained in order, and a channel with words needs no explanation', () => {
  const spans = fc.array(fc.tuple(fc.constantFrom(...SPAN_KINDS), fc.integer({ min: 1, max: 100 })), {
    maxLength: 6,
  });
  const text = fc.oneof(
    fc.string(),
    fc.string().map((inside) => invite(sdp(inside, `m=audio ${inside}`))),
  );
  fc.assert(
    fc.property(
      fc.array(fc.record({ spans, segments: fc.nat(1), rejected: fc.nat(2) }), { maxLength: 4 }),
      fc.array(fc.tuple(fc.constantFrom('in' as const, 'out' as const), text), { maxLength: 5 }),
      (shapes, messages) => {
        const channels = shapes.map(({ spans: told, segments, rejected }, index) =>
          channel(told, { index, segments, totals: totals({ packetsRejected: rejected }) }),
        );
        const findings = findingsOf({ channels, trace: traced(...messages) });
        const ranks = findings.map(({ code }) => FINDING_CODES.indexOf(code));
        expect(ranks).toEqual([...ranks].sort((a, b) => a - b));
        const silent = channels.filter(({ segments }) => segments === 0).map(({ index }) => index);
        expect(findings.length > 0).toBe(silent.length > 0 || channels.length === 0);
        for (const { channel: on } of findings) if (on !== null) expect(silent).toContain(on);
      },
    ),
  );
});
