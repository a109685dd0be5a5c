import {
  type ChannelTotals,
  type DiagnosisView,
  type DiskRecord,
  FINDING_CODES,
  type FindingCode,
  type FindingView,
  type LedgerChannelView,
  type RecognitionState,
  type TraceItemView,
  TICKS_PER_SECOND,
} from '@earshot/contracts';
import { FINDINGS } from './findings.ts';
import { type AudioLine, isHeld, type SipStory, sipStoryOf } from './sip-story.ts';

/** What is known of a call that may explain its transcript. */
export interface CallEvidence {
  readonly callId: string;
  readonly state: 'live' | 'ended';
  readonly endReason: string | null;
  readonly disk: DiskRecord;
  readonly recognition: RecognitionState;
  readonly trace: readonly TraceItemView[];
  readonly channels: readonly ChannelEvidence[];
}

export interface ChannelEvidence {
  readonly index: number;
  readonly label: string | null;
  readonly segments: number;
  /** Of the whole call. Null for calls from before ledgers were kept. */
  readonly ledger: Pick<LedgerChannelView, 'durationTicks' | 'sums' | 'proof' | 'spans'> | null;
  /** Once the call has ended and its media worker could be asked. */
  readonly totals: ChannelTotals | null;
}

/** Of a channel's time, or of its packets: as much as this is nearly all, or much. */
const NEARLY_ALL = 0.8;
const MUCH_LOST = 0.3;
/** Recognition is always a little behind. */
const BEHIND_TICKS = 2 * TICKS_PER_SECOND;
/** One word takes as long. */
const SPEECH_TICKS = TICKS_PER_SECOND / 2;
/** Mean levels of speech. On the telephone it is at -20 to -30 dBov (ITU-T P.56 measures, G.168 tests at such). */
const QUIET_DBOV = -45;
const LOUD_DBOV = -9;

/** Why there are no words, most telling first, where there are none; then why the audio was not kept. */
export function diagnose(evidence: CallEvidence): DiagnosisView {
  const { callId, state, channels } = evidence;
  const wordless = channels.filter(({ segments }) => segments === 0);
  const empty = wordless.length === channels.length;
  const ofDisk = diskFindings(evidence);
  if (wordless.length === 0 && channels.length > 0) return { callId, state, empty: false, findings: ofDisk };
  const story = sipStoryOf(evidence.trace);
  const found = [
    ...callFindings(evidence, story),
    ...joined(
      wordless.map((channel) => channelFindings(channel, story)),
      wordless.length === channels.length,
    ),
  ];
  if (found.length === 0) found.push(finding('unexplained', null, []));
  const rank = ({ code }: FindingView): number => FINDING_CODES.indexOf(code);
  return { callId, state, empty, findings: [...found, ...ofDisk].sort((a, b) => rank(a) - rank(b)) };
}

const diskFindings = ({ disk }: CallEvidence): FindingView[] => [
  ...(disk.low ? [finding('disk-low', null, [])] : []),
  ...(disk.failed ? [finding('disk-full', null, [])] : []),
];

const finding = (code: FindingCode, channel: number | null, evidence: string[]): FindingView => ({
  code,
  channel,
  ...FINDINGS[code],
  evidence,
});

function callFindings({ endReason, state, recognition }: CallEvidence, story: SipStory): FindingView[] {
  const found: FindingView[] = [];
  if (recognition !== 'current') found.push(finding('recorded-first', null, [`recognition: ${recognition}`]));
  const { answered, acked, theirs, ours } = story;
  if (endReason === 'ack-timeout' || (answered !== null && !acked && state === 'ended')) {
    const at = answered === null ? [] : [`${said(answered)}; no ACK came`];
    found.push(finding('never-acknowledged', null, [...at, ...endOf(endReason)]));
  }
  if (endReason === 'cancel') found.push(finding('cancelled', null, endOf(endReason)));
  const offered = theirs?.lines ?? [];
  if (theirs !== null && (story.alwaysHeld || offered.every(({ port }) => port === 0))) {
    found.push(
      finding('nothing-offered', null, [
        `${said(theirs.item)}: ${offered.map(lineText).join('; ') || 'no audio'}`,
      ]),
    );
  }
  // Lines of an answer stand in the order of the offer (RFC 3264 section 6).
  const refused = (ours?.lines ?? []).flatMap(({ port }, place) => {
    const line = offered[place];
    return port === 0 && line !== undefined && line.port !== 0 ? [line] : [];
  });
  if (refused.length > 0) found.push(finding('streams-refused', null, refused.map(lineText)));
  return found;
}

function channelFindings(channel: ChannelEvidence, story: SipStory): FindingView[] {
  const { index, ledger, totals } = channel;
  const found: FindingView[] = [];
  const find = (code: FindingCode, ...evidence: string[]): void =>
    void found.push(finding(code, index, evidence));
  const rejected = totals?.packetsRejected ?? 0;
  const counted =
    totals === null
      ? []
      : [
          `${totals.packetsReceived} packets received, ${totals.packetsLost} lost, ${totals.packetsRejected} rejected`,
        ];
  if (ledger === null) {
    if (totals?.packetsReceived === 0) find(rejected > 0 ? 'packets-rejected' : 'no-packets', ...counted);
    return found;
  }
  const { durationTicks: whole, sums, proof, spans } = ledger;
  const heard = sums.received + sums.concealed;
  const share = (ticks: number): number => ticks / Math.max(1, whole);
  const of = (ticks: number, name: string): string => `${seconds(ticks)} of ${seconds(whole)} ${name}`;
  if (share(sums.paused) >= NEARLY_ALL) find('paused', of(sums.paused, 'paused'));
  if (share(sums.held) >= NEARLY_ALL) find('on-hold', of(sums.held, 'on hold'));
  if (heard === 0) {
    if (found.length > 0) return found;
    if (rejected > 0) find('packets-rejected', ...counted, ...wayText(channel, story));
    else if (share(sums.dtx) >= NEARLY_ALL) find('silence-not-sent', of(sums.dtx, 'not sent'));
    else find('no-packets', ...counted, ...wayText(channel, story));
    return found;
  }
  if (whole < TICKS_PER_SECOND) find('too-short', seconds(whole));
  if (sums.lost >= MUCH_LOST * (heard + sums.lost)) {
    // What came and could not be used is lost as well.
    const code = rejected > (totals?.packetsLost ?? 0) ? 'packets-rejected' : 'packets-lost';
    find(code, of(sums.lost, 'lost'), ...counted);
  }
  if (share(sums.dtx) >= NEARLY_ALL) find('silence-not-sent', of(sums.dtx, 'not sent'));
  const last = spans.findLast(({ kind }) => kind === 'received');
  const lastTick = last === undefined ? whole : last.startTick + last.ticks;
  if (share(sums.absent) >= 0.5 && lastTick < whole / 2) {
    find('packets-stopped', `the last one came at ${seconds(lastTick)} of ${seconds(whole)}`);
  }
  if (proof.undecided > BEHIND_TICKS) {
    find('not-recognised-yet', of(proof.undecided, 'not decided'));
    return found;
  }
  const [code, ...evidence] = soundOf(totals);
  find(code, of(heard, 'received'), ...evidence);
  return found;
}

/** What the levels say of sound that came. */
function soundOf(totals: ChannelTotals | null): [FindingCode, ...string[]] {
  const levels = totals?.levels ?? null;
  if (levels === null) {
    return ['no-words', 'all of it was decided to hold no words; how loud it was is not known'];
  }
  const { peakDbov, meanDbov, speechTicks } = levels;
  const measured = `speech ${seconds(speechTicks)}, mean ${Math.round(meanDbov)} dBov, peak ${Math.round(peakDbov)} dBov`;
  if (speechTicks < SPEECH_TICKS) return ['silence', measured];
  if (meanDbov < QUIET_DBOV) return ['too-quiet', measured];
  return [meanDbov > LOUD_DBOV ? 'clipped' : 'speech-not-understood', measured];
}

/** The same on all channels is of the call. */
function joined(byChannel: readonly FindingView[][], isAll: boolean): FindingView[] {
  const all = byChannel.flat();
  if (!isAll || byChannel.length < 2) return all;
  return [...Map.groupBy(all, ({ code }) => code).values()].flatMap((same) => {
    if (same.length < byChannel.length) return same;
    const evidence = same.flatMap(({ channel, evidence: each }) =>
      each.map((text) => `channel ${channel}: ${text}`),
    );
    return [{ ...same[0]!, channel: null, evidence }];
  });
}

/** Where the caller was to send the channel's packets, and from where it said that they come. */
function wayText({ index, label }: ChannelEvidence, { ours, theirs }: SipStory): string[] {
  const lineOf = (lines: readonly AudioLine[] | undefined): AudioLine | undefined =>
    lines?.find((line) => label !== null && line.label === label) ?? lines?.[index];
  const to = lineOf(ours?.lines);
  const from = lineOf(theirs?.lines);
  return [
    ...(to === undefined ? [] : [`our answer names ${to.address ?? '?'}:${to.port} for it`]),
    ...(from === undefined
      ? []
      : [`the caller names ${from.address ?? '?'}:${from.port}${isHeld(from) ? ', on hold' : ''}`]),
  ];
}

const endOf = (endReason: string | null): string[] => (endReason === null ? [] : [`ended by ${endReason}`]);
const said = ({ summary, atMs }: TraceItemView): string => `${summary} at ${(atMs / 1000).toFixed(3)} s`;
const seconds = (ticks: number): string => `${(ticks / TICKS_PER_SECOND).toFixed(1)} s`;

const lineText = ({ label, protocol, formats, port, direction }: AudioLine): string =>
  `${label === null ? 'a stream' : `stream ${label}`}: ${protocol} ${formats.join(', ')}, port ${port}, ${direction}`;
