import { parseArgs } from 'node:util';
import { EarshotProcess } from '../../sip-tests/src/earshot-process.ts';
import { MediaCall, type MediaCallResult } from '../../sip-tests/src/media-call.ts';
import { RtpPacer } from '../../sip-tests/src/rtp-sender.ts';
import { SipClient } from '../../sip-tests/src/sip-client.ts';
import { wordErrors } from '../../sip-tests/src/wer.ts';
import { type PlannedCall, planCalls } from './impairment/plan.ts';
import { progress } from './machine.ts';
import { dialogueSentences, heldOutSentences } from './speech/sentences.ts';
import { joined, silence } from './speech/sound.ts';
import { ALIGNED_VOICES } from './speech/voices.ts';
import { round } from './statistics.ts';
import { Tally } from './wer/tally.ts';

const SETTLE_LIMIT_MS = 120_000;
/** Between two sentences. */
const PAUSE_MS = 400;

interface LedgerView {
  readonly complete: boolean;
  readonly channels: readonly {
    readonly durationTicks: number;
    readonly spans: readonly { readonly kind: string; readonly startTick: number; readonly ticks: number }[];
    readonly sums: Readonly<Record<string, number>>;
  }[];
}
interface CallRow {
  readonly id: string;
  readonly complete: boolean;
  readonly sip: { readonly callId: string };
  readonly channels: readonly { readonly packetsLost: number | null }[];
}

/** What all calls of one codec, condition and method came to. */
class Row {
  calls = 0;
  packetsSent = 0;
  /** By the generator, and by Earshot. */
  lost = 0;
  lostSeen = 0;
  concealedTicks = 0;
  /** Calls whose audio is as long as what was said, to the sample, and whose spans add up. */
  exact = 0;
  /** Calls in which no packet came for half a second or more: the machine held up the sender, and time went on without it. */
  stalled = 0;
  /** Of the others that are not exact, what their spans are. */
  readonly faults: Readonly<Record<string, number>>[] = [];
  readonly tally = new Tally();
}

/** `impairment`: word error rates through a whole Earshot by what the network does, with lost packets concealed and as silence. */
export async function impairment(args: string[]): Promise<object> {
  const { values } = parseArgs({
    args,
    options: {
      /** Of each voice. */
      sentences: { type: 'string', default: '12' },
      voices: { type: 'string', default: 'flite:kal16,flite:slt,flite:awb,flite:rms' },
      /** `dialogues`: sip-tests' own; `held-out`: what no training of ours had. */
      texts: { type: 'string', default: 'dialogues' },
      seed: { type: 'string', default: '1' },
    },
  });
  const sentences = values.texts === 'held-out' ? heldOutSentences() : dialogueSentences();
  const count = Number(values.sentences);
  const wanted = new Set(values.voices.split(','));
  const voices = ALIGNED_VOICES.filter(({ name, installed }) => installed && wanted.has(name));
  const earshot = await EarshotProcess.start({ env: { LOG_LEVEL: 'warn' } });
  const client = await SipClient.open({ server: earshot.sip, transport: 'udp' });
  const pacer = new RtpPacer();
  const rows = new Map<string, Row>();
  try {
    for (const [index, voice] of voices.entries()) {
      progress(`impairment: ${voice.name}`);
      const texts = sentences.slice(index * count, (index + 1) * count);
      const spoken = (await voice.speak(texts)).filter((each) => each !== null);
      const pcm = joined(silence(PAUSE_MS), ...spoken.flatMap((each) => [each.pcm, silence(PAUSE_MS)]));
      const reference = spoken.map(({ text }) => text).join(' ');
      const planned = await planCalls(pcm, Number(values.seed) + 100 * index);
      progress(`impairment: ${planned.length} calls of ${Math.round(pcm.length / 8000)} s`);
      const placed = await Promise.all(
        planned.map(async (plan) => {
          const result = await new MediaCall({ client, pacer, ...plan }).run();
          return { plan, result };
        }),
      );
      for (const { plan, result } of placed) await judge(earshot, plan, result, reference, rows);
    }
    return {
      setup: {
        voices: voices.map(({ name }) => name),
        sentencesOfEach: count,
        texts: values.texts,
        seed: Number(values.seed),
      },
      generatorLatestTickMs: round(pacer.latestTickMs, 1),
      results: [...rows].map(([key, row]) => shown(key, row, rows)),
    };
  } finally {
    pacer.stop();
    await client.close();
    await earshot.stop();
  }
}

const keyOf = (codec: string, condition: string, method: string): string => `${codec}|${condition}|${method}`;

async function judge(
  earshot: EarshotProcess,
  plan: PlannedCall,
  result: MediaCallResult,
  reference: string,
  rows: Map<string, Row>,
): Promise<void> {
  const key = keyOf(plan.codec, plan.condition, plan.method);
  const row = rows.get(key) ?? new Row();
  rows.set(key, row);
  const call = await settled(earshot, result.callId);
  const { segments } = await earshot.get<{ segments: { spoken: string }[] }>(
    `/v1/calls/${call.id}/transcript`,
  );
  row.tally.add(wordErrors(reference, segments.map(({ spoken }) => spoken).join(' ')));
  row.calls++;
  row.packetsSent += result.packetsSent;
  row.lost += result.lost;
  row.lostSeen += call.channels[0]?.packetsLost ?? 0;
  const { channels } = await earshot.get<LedgerView>(`/v1/calls/${call.id}/ledger`);
  const ledger = channels[0];
  if (ledger === undefined) return;
  row.concealedTicks += ledger.sums['concealed'] ?? 0;
  const heard = ledger.spans.filter(({ kind }) => kind !== 'absent');
  const [first, last] = [heard[0], heard.at(-1)];
  const ticks = first && last ? last.startTick + last.ticks - first.startTick : 0;
  const whole = heard.reduce((total, span) => total + span.ticks, 0) === ticks;
  const sum = Object.values(ledger.sums).reduce((total, each) => total + each, 0);
  if (!whole) row.stalled++;
  else if (ticks === 160 * plan.frames.length && sum === ledger.durationTicks) row.exact++;
  else row.faults.push(ledger.sums);
}

function shown(key: string, row: Row, rows: ReadonlyMap<string, Row>): object {
  const [codec = '', condition = '', method = ''] = key.split('|');
  const figure = row.tally.figure;
  const clean = rows.get(keyOf(codec, 'clean', 'concealed'))?.tally.figure.wer ?? null;
  return {
    codec,
    condition,
    method,
    ...figure,
    werRise: figure.wer === null || clean === null ? null : round(figure.wer - clean, 4),
    calls: row.calls,
    callsExactToTheSample: row.exact,
    callsStalled: row.stalled,
    ...(row.faults.length > 0 && { faults: row.faults }),
    packetsSent: row.packetsSent,
    packetsLostOnTheWay: row.lost,
    packetsLostByEarshot: row.lostSeen,
    concealedMs: round(row.concealedTicks / 8),
  };
}

async function settled(earshot: EarshotProcess, sipCallId: string): Promise<CallRow> {
  const limit = performance.now() + SETTLE_LIMIT_MS;
  for (;;) {
    const { items } = await earshot.get<{ items: CallRow[] }>('/v1/calls?limit=100');
    const call = items.find(({ sip }) => sip.callId === sipCallId);
    if (call?.complete === true) return call;
    if (performance.now() > limit) throw new Error(`the call ${sipCallId} does not become complete`);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}
