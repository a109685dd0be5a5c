import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { EarshotProcess } from '../../sip-tests/src/earshot-process.ts';
import { CallFleet } from '../../sip-tests/src/fleet.ts';
import { type AlignedDialogue, makeDialogues } from './latency/dialogues.ts';
import { type ChannelWords, judgeChannel, summarise } from './latency/judge.ts';
import { LiveWords } from './latency/live-words.ts';
import { wordErrors } from '../../sip-tests/src/wer.ts';
import { progress } from './machine.ts';
import { fromMulaw } from './speech/sound.ts';
import { round } from './statistics.ts';
import { recognise } from './wer/recognise.ts';
import { Tally } from './wer/tally.ts';

const SHIPPED_MODEL = fileURLToPath(new URL('../../asr/model', import.meta.url));
const SETTLE_LIMIT_MS = 60_000;

interface CallRow {
  readonly id: string;
  readonly complete: boolean;
  readonly startedAt: string;
  readonly sip: { readonly callId: string };
  readonly channels: readonly { readonly index: number; readonly label: string | null }[];
}

/**
 * From a word's last sound leaving the caller, over real SIP and RTP, to the word at a WebSocket client; its times and the word
 * error rate against what the synthesiser says it spoke, and when.
 */
export async function latency(args: string[]): Promise<object> {
  const { values } = parseArgs({
    args,
    options: {
      calls: { type: 'string', default: '4' },
      /** Turns of each party. */
      turns: { type: 'string', default: '6' },
      model: { type: 'string', default: SHIPPED_MODEL },
      codec: { type: 'string', default: 'pcmu' },
    },
  });
  progress('latency: making the speech');
  const dialogues = await makeDialogues(Number(values.calls), Number(values.turns));
  progress('latency: the same audio straight into the engine');
  const direct = await straight(values.model, dialogues);
  const earshot = await EarshotProcess.start({ env: { LOG_LEVEL: 'warn', ASR_MODEL: values.model } });
  const live = await LiveWords.connect(earshot.url, earshot.apiKey);
  try {
    const codec = values.codec === 'pcma' ? 'pcma' : 'pcmu';
    const fleet = await CallFleet.open({
      calls: dialogues.length,
      server: earshot.sip,
      transport: 'udp',
      codec,
      // Turns of different calls do not begin together.
      rampS: Math.min(10, dialogues.length * 0.7),
      dialogues: dialogues.map(({ dialogue }) => dialogue),
    });
    progress(`latency: ${dialogues.length} calls`);
    const results = await fleet.run();
    const { latestTickMs } = fleet;
    await fleet.close();
    const rows = await settled(earshot, dialogues.length);
    live.close();
    const judged = dialogues.flatMap((aligned, i) => {
      const result = results[i];
      const row = rows.find(({ sip }) => sip.callId === result?.callId);
      return row === undefined || result === undefined ? [] : channelsOf(aligned, row, result.streams, live);
    });
    return {
      setup: {
        calls: dialogues.length,
        turnsOfEachParty: Number(values.turns),
        codec,
        model: values.model === SHIPPED_MODEL ? 'shipped' : values.model.split('/').at(-1),
        secondsOfCalls: round(Math.max(...dialogues.map(({ dialogue }) => dialogue.durationMs)) / 1000),
        voices: [
          ...new Set(dialogues.flatMap(({ parties }) => Object.values(parties).map(({ voice }) => voice))),
        ],
      },
      calls: {
        placed: results.length,
        failed: results.filter(({ failure }) => failure !== undefined).map(({ failure }) => failure?.message),
        complete: rows.filter(({ complete }) => complete).length,
      },
      generatorLatestTickMs: round(latestTickMs, 1),
      ...summarise(judged),
      werWithoutSip: {
        note: 'the same audio straight into the engine, gated as the live path does it',
        ...direct.figure,
      },
    };
  } finally {
    await earshot.stop();
  }
}

function channelsOf(
  { parties }: AlignedDialogue,
  row: CallRow,
  streams: readonly { readonly label: string; readonly firstPacketAtMs: number | null }[],
  live: LiveWords,
): ChannelWords[] {
  return (['agent', 'customer'] as const).flatMap((label) => {
    const channel = row.channels.find((one) => one.label === label);
    const firstPacketMs = streams.find((stream) => stream.label === label)?.firstPacketAtMs ?? null;
    if (channel === undefined || firstPacketMs === null) return [];
    const { voice, turns } = parties[label];
    const told = live.wordsOf(row.id, channel.index);
    return [judgeChannel({ voice, turns, told, firstPacketMs, callZeroMs: Date.parse(row.startedAt) })];
  });
}

/** What the engine makes of the same parties without a call: what is worse than this is the telephone's. */
async function straight(model: string, dialogues: readonly AlignedDialogue[]): Promise<Tally> {
  const sides = dialogues.flatMap(({ dialogue, parties }) =>
    (['agent', 'customer'] as const).map((party) => ({
      pcm: fromMulaw(dialogue.parties[party].mulaw),
      reference: parties[party].turns.flatMap(({ words }) => words.map(({ text }) => text)).join(' '),
    })),
  );
  const { texts } = await recognise(
    model,
    true,
    sides.map(({ pcm }) => pcm),
  );
  const tally = new Tally();
  for (const [i, { reference }] of sides.entries()) tally.add(wordErrors(reference, texts[i] ?? ''));
  return tally;
}

async function settled(earshot: EarshotProcess, count: number): Promise<CallRow[]> {
  const limit = performance.now() + SETTLE_LIMIT_MS;
  for (;;) {
    const { items } = await earshot.get<{ items: CallRow[] }>('/v1/calls?state=ended&limit=100');
    if (items.filter(({ complete }) => complete).length >= count || performance.now() > limit) return items;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}
