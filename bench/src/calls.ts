import { parseArgs } from 'node:util';
import { EarshotProcess } from '../../sip-tests/src/earshot-process.ts';
import { endedCalls, generate, type Load, settled } from './live-calls.ts';
import { cpuByProcess, kernelDrops } from './processes.ts';
import { Reading } from './prometheus.ts';
import { quantile } from './statistics.ts';
import { WordLatency } from './word-latency.ts';

const RTP_MIN = 20000;
const RTP_MAX = 32767;

/**
 * Paced two-party SIPREC calls against an Earshot of its own: what the generator sent, what the workers counted, what
 * the kernel dropped; setup, word latency, lag, CPU by process.
 */
export async function calls(args: string[]): Promise<object> {
  const { values } = parseArgs({
    args,
    options: {
      calls: { type: 'string', default: '50' },
      seconds: { type: 'string', default: '60' },
      ramp: { type: 'string', default: '5' },
      transport: { type: 'string', default: 'udp' },
    },
  });
  const earshot = await EarshotProcess.start({
    env: { LOG_LEVEL: 'warn', RTP_PORT_MIN: String(RTP_MIN), RTP_PORT_MAX: String(RTP_MAX) },
  });
  try {
    return await measure(earshot, values);
  } finally {
    await earshot.stop();
  }
}

async function measure(earshot: EarshotProcess, values: Load): Promise<object> {
  const words = await WordLatency.connect(earshot.url, earshot.apiKey);
  const drops = new Map<number, number>();
  const look = async (): Promise<void> => {
    for (const [port, count] of await kernelDrops(RTP_MIN, RTP_MAX))
      drops.set(port, Math.max(drops.get(port) ?? 0, count));
  };
  const watch = setInterval(() => void look(), 1000);
  const cpuBefore = await cpuByProcess(earshot.pid);
  const startedMs = performance.now();
  const report = await generate(earshot, values);
  const wallSeconds = (performance.now() - startedMs) / 1000;
  const cpuAfter = await cpuByProcess(earshot.pid);
  clearInterval(watch);
  const complete = await settled(earshot, report.calls.answered);
  const counted = await countedPackets(earshot);
  const metrics = new Reading(await earshot.get<string>('/metrics'));
  words.close();
  return {
    setup: {
      calls: Number(values.calls),
      seconds: Number(values.seconds),
      transport: values.transport,
      twoPartyChannels: 2 * Number(values.calls),
      generator: 'Node, one process, same machine',
    },
    calls: { ...report.calls, complete },
    setupMs: report.setupMs,
    packets: {
      sentByGenerator: report.packetsSent,
      countedByWorkers: counted,
      droppedByKernel: [...drops.values()].reduce((sum, n) => sum + n, 0),
      socketsWithDrops: [...drops].filter(([, n]) => n > 0).map(([port, n]) => ({ port, drops: n })),
    },
    generatorLatestTickMs: report.latestTickMs,
    wordLatencyMs: {
      note: "from the word's end by the recogniser's times to its first message at a WebSocket client on this machine",
      firstShown: {
        words: words.firstShownMs.length,
        p50: quantile(words.firstShownMs, 0.5),
        p95: quantile(words.firstShownMs, 0.95),
      },
      final: {
        words: words.finalMs.length,
        p50: quantile(words.finalMs, 0.5),
        p95: quantile(words.finalMs, 0.95),
      },
    },
    lagSeconds: {
      note: 'received minus recognised, each channel once a second; upper ends of histogram buckets',
      p50: metrics.quantile('earshot_channel_lag_seconds', 0.5),
      p95: metrics.quantile('earshot_channel_lag_seconds', 0.95),
      p99: metrics.quantile('earshot_channel_lag_seconds', 0.99),
    },
    serverWordLatencySeconds: {
      note: 'arrival of the last audio to the live bus; upper ends of histogram buckets; partials and finals together',
      p50: metrics.quantile('earshot_word_latency_seconds', 0.5),
      p95: metrics.quantile('earshot_word_latency_seconds', 0.95),
    },
    cpuCoresByProcess: Object.fromEntries(
      [...cpuAfter].map(([name, seconds]) => [
        name,
        Number(((seconds - (cpuBefore.get(name) ?? 0)) / wallSeconds).toFixed(3)),
      ]),
    ),
  };
}

async function countedPackets(earshot: EarshotProcess): Promise<number> {
  const ended = await endedCalls(earshot);
  return ended
    .flatMap((call) => call.channels)
    .reduce((sum, channel) => sum + (channel.packetsReceived ?? 0), 0);
}
