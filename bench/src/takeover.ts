import { parseArgs } from 'node:util';
import type { TranscriptView } from '@earshot/contracts';
import { EarshotProcess } from '../../sip-tests/src/earshot-process.ts';
import type { GeneratorReport } from '../../sip-tests/src/generator.ts';
import { wordErrors, words } from '../../sip-tests/src/wer.ts';
import { type EndedCall, endedCalls, generate, type Load, settled } from './live-calls.ts';
import { progress } from './machine.ts';
import { kernelDrops } from './processes.ts';
import { quantile } from './statistics.ts';

const RTP_MIN = 20000;
const RTP_MAX = 32767;
/** Until the replacement reads, or what is wrong is wrong for good. */
const LIMIT_MS = 20_000;
/** Before the first death, after all calls are up. */
const CALM_MS = 5000;
const SETTLE_LIMIT_MS = 180_000;

/**
 * A media worker with so many two-party calls is killed and stopped, again and again: how long until its replacement reads the
 * sockets, what became of the packets, and whether words were lost or doubled against calls that nothing disturbed.
 */
export async function takeover(args: string[]): Promise<object> {
  const { values } = parseArgs({
    args,
    options: {
      calls: { type: 'string', default: '100' },
      /** Deaths by SIGKILL. */
      kills: { type: 'string', default: '5' },
      /** Deaths of a process that SIGSTOP stopped. */
      stops: { type: 'string', default: '2' },
      /** Seconds from one to the next; a process that lives shorter is replaced with a pause. */
      every: { type: 'string', default: '13' },
      ramp: { type: 'string', default: '10' },
      /** Undisturbed calls before, to compare words with; 0 compares none. */
      reference: { type: 'string', default: '24' },
    },
  });
  const signals = [
    ...Array<'SIGKILL'>(Number(values.kills)).fill('SIGKILL'),
    ...Array<'SIGSTOP'>(Number(values.stops)).fill('SIGSTOP'),
  ];
  const seconds = Number(values.ramp) + CALM_MS / 1000 + (signals.length + 0.5) * Number(values.every);
  const log = new HostLog();
  const earshot = await EarshotProcess.start({
    env: {
      LOG_LEVEL: 'info',
      MEDIA_WORKERS: '1',
      RTP_PORT_MIN: String(RTP_MIN),
      RTP_PORT_MAX: String(RTP_MAX),
    },
    onLine: (line) => log.take(line),
  });
  try {
    const load = { calls: values.calls, seconds: String(seconds), ramp: values.ramp, transport: 'udp' };
    const reference = Number(values.reference);
    const undisturbed =
      reference === 0 ? null : await placed(earshot, { ...load, calls: values.reference }, 0);
    progress('takeover: undisturbed calls are over');
    const deaths: Death[] = [];
    const disturbed = await placed(earshot, load, reference, async () => {
      await sleep(Number(values.ramp) * 1000 + CALM_MS);
      for (const signal of signals) {
        const dueMs = performance.now() + Number(values.every) * 1000;
        await sleep(Math.random() * 500);
        deaths.push(await die(signal, log));
        progress(`takeover: ${JSON.stringify(deaths.at(-1))}`);
        await sleep(dueMs - performance.now());
      }
    });
    return {
      setup: {
        calls: Number(values.calls),
        channels: 2 * Number(values.calls),
        seconds,
        mediaWorkers: 1,
        generator: 'Node, one process, same machine',
      },
      calls: disturbed.report.calls,
      complete: disturbed.complete,
      generatorLatestTickMs: disturbed.report.latestTickMs,
      takeover: {
        note: 'milliseconds from the signal to the moment when the replacement had read the sockets for the first time',
        killed: summary(deaths, 'SIGKILL'),
        stopped: summary(deaths, 'SIGSTOP'),
        deaths,
      },
      packets: packets(disturbed),
      words: undisturbed === null ? null : compared(undisturbed.texts, disturbed.texts),
    };
  } finally {
    await earshot.stop();
  }
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));

interface Took {
  readonly atMs: number;
  readonly channels: number;
  readonly packets: number;
  readonly unreadMs: number;
  readonly stagesMs: Readonly<Record<string, number>>;
}

/** What host and its worker say in their logs. */
class HostLog {
  pid = 0;
  endedAtMs = 0;
  took: Took | null = null;

  take(line: string): void {
    if (!line.startsWith('{')) return;
    const entry = JSON.parse(line) as Record<string, unknown>;
    const atMs = Date.parse(String(entry['time']));
    if (entry['msg'] === 'process ready' && entry['child'] === 'media-0') this.pid = Number(entry['pid']);
    if (String(entry['msg']).startsWith('child ended') && entry['child'] === 'media-0') this.endedAtMs = atMs;
    if (entry['msg'] === 'took over from a predecessor') this.took = { ...(entry as unknown as Took), atMs };
  }
}

interface Death {
  readonly signal: 'SIGKILL' | 'SIGSTOP';
  /** From the signal; the log's clock counts whole milliseconds. */
  readonly noticedMs: number;
  readonly readingMs: number;
  readonly unreadMs: number;
  readonly channels: number;
  readonly packetsReplayed: number;
  readonly stagesMs: Readonly<Record<string, number>>;
}

async function die(signal: 'SIGKILL' | 'SIGSTOP', log: HostLog): Promise<Death> {
  // Zero would be this program's own process group.
  if (log.pid === 0)
    throw new Error("the log does not say which process is media-0: is host's `process ready` line gone?");
  log.took = null;
  const atMs = Date.now();
  process.kill(log.pid, signal);
  const limit = performance.now() + LIMIT_MS;
  while (log.took === null) {
    if (performance.now() > limit) throw new Error(`nobody took over within ${LIMIT_MS / 1000} s`);
    await sleep(20);
  }
  const took = log.took as Took;
  return {
    signal,
    noticedMs: log.endedAtMs - atMs,
    readingMs: took.atMs - atMs,
    unreadMs: took.unreadMs,
    channels: took.channels,
    packetsReplayed: took.packets,
    stagesMs: took.stagesMs,
  };
}

function summary(deaths: readonly Death[], signal: Death['signal']): object {
  const readingMs = deaths.filter((death) => death.signal === signal).map((death) => death.readingMs);
  return { times: readingMs.length, median: quantile(readingMs, 0.5), longest: quantile(readingMs, 1) };
}

interface Placed {
  readonly report: GeneratorReport;
  readonly complete: number;
  readonly calls: readonly EndedCall[];
  readonly dropped: number;
  /** By dialogue and channel: what each call's transcript says. */
  readonly texts: ReadonlyMap<string, readonly string[][]>;
}

async function placed(
  earshot: EarshotProcess,
  load: Load,
  before: number,
  meanwhile: () => Promise<void> = () => Promise.resolve(),
): Promise<Placed> {
  let dropped = 0;
  const look = async (): Promise<void> => {
    const drops = await kernelDrops(RTP_MIN, RTP_MAX);
    dropped = Math.max(
      dropped,
      [...drops.values()].reduce((sum, n) => sum + n, 0),
    );
  };
  const watch = setInterval(() => void look(), 1000);
  const [report] = await Promise.all([generate(earshot, load), meanwhile()]);
  clearInterval(watch);
  const complete = (await settled(earshot, before + report.calls.answered, SETTLE_LIMIT_MS)) - before;
  const ids = new Set(report.perCall.map((call) => call.callId));
  const calls = (await endedCalls(earshot)).filter((call) => ids.has(call.sip.callId));
  const dialogues = new Map(report.perCall.map((call) => [call.callId, call.dialogue]));
  const texts = new Map<string, string[][]>();
  for (const call of calls) {
    const transcript = await earshot.get<TranscriptView>(`/v1/calls/${call.id}/transcript`);
    for (const channel of call.channels.keys()) {
      const key = `${dialogues.get(call.sip.callId)} ${channel}`;
      const said = transcript.segments.filter((segment) => segment.channel === channel);
      texts.set(key, [...(texts.get(key) ?? []), said.flatMap((segment) => words(segment.spoken))]);
    }
  }
  return { report, complete, calls, dropped, texts };
}

function packets({ report, calls, dropped }: Placed): object {
  const sent = new Map(report.perCall.map((call) => [call.callId, call.streams.map((s) => s.packetsSent)]));
  let counted = 0;
  let lost = 0;
  const wrong: object[] = [];
  for (const call of calls) {
    for (const [i, channel] of call.channels.entries()) {
      const wanted = sent.get(call.sip.callId)?.[i] ?? 0;
      counted += channel.packetsReceived ?? 0;
      lost += channel.packetsLost ?? 0;
      if (channel.packetsReceived === wanted && channel.packetsLost === 0) continue;
      wrong.push({ sent: wanted, counted: channel.packetsReceived, lost: channel.packetsLost });
    }
  }
  return {
    sentByGenerator: report.packetsSent,
    countedByWorkers: counted,
    lost,
    droppedByKernel: dropped,
    channelsThatDiffer: wrong.length,
    differ: wrong.slice(0, 10),
  };
}

/** Each channel's words against the nearest of the undisturbed calls' with the same audio; and those against each other. */
function compared(
  undisturbed: ReadonlyMap<string, readonly string[][]>,
  disturbed: ReadonlyMap<string, readonly string[][]>,
): object {
  const total = () => ({ channels: 0, words: 0, lost: 0, added: 0, changed: 0 });
  const [one, other] = [total(), total()];
  const add = (sum: ReturnType<typeof total>, text: string[], references: readonly string[][]): void => {
    const [nearest] = references
      .map((reference) => wordErrors(reference, text))
      .sort((a, b) => a.rate - b.rate);
    if (nearest === undefined) return;
    sum.channels++;
    sum.words += nearest.referenceWords;
    sum.lost += nearest.deletions;
    sum.added += nearest.insertions;
    sum.changed += nearest.substitutions;
  };
  for (const [key, texts] of disturbed) {
    for (const text of texts) add(one, text, undisturbed.get(key) ?? []);
  }
  for (const texts of undisturbed.values()) {
    for (const text of texts)
      add(
        other,
        text,
        texts.filter((each) => each !== text),
      );
  }
  return {
    note: 'against the nearest undisturbed call with the same audio; the model hears each call at other places of its chunks, so that undisturbed calls differ, too',
    disturbed: one,
    undisturbed: other,
  };
}
