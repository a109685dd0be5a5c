import { parseArgs } from 'node:util';
import { EarshotProcess } from '../../sip-tests/src/earshot-process.ts';
import type { GeneratedCall } from '../../sip-tests/src/generator.ts';
import { endedCalls, generate, settled } from './live-calls.ts';
import { Reading } from './prometheus.ts';
import { quantile, round } from './statistics.ts';

const UP_LIMIT_MS = 30_000;

/**
 * More calls than a node takes: how many it took, how soon it said no, whether those taken lost a packet or a word. The size of
 * the node is MAX_CALLS, or with --size 0 what it measures by itself.
 */
export async function overload(args: string[]): Promise<object> {
  const { values } = parseArgs({
    args,
    options: {
      calls: { type: 'string', default: '1000' },
      size: { type: 'string', default: '200' },
      ramp: { type: 'string', default: '10' },
      seconds: { type: 'string', default: '30' },
      transport: { type: 'string', default: 'udp' },
    },
  });
  const { calls, size, ramp, seconds, transport } = values;
  const earshot = await EarshotProcess.start({
    // All calls come from one address here.
    env: { LOG_LEVEL: 'warn', SIP_RATE: '0', ...(size === '0' ? {} : { MAX_CALLS: size }) },
  });
  try {
    const before = await whenUp(earshot);
    const report = await generate(earshot, { calls, seconds, ramp, transport });
    const answered = report.perCall.filter((call) => call.answered);
    const refused = report.perCall.filter((call) => !call.answered);
    const complete = await settled(earshot, answered.length);
    const received = new Map(
      (await endedCalls(earshot)).map((call) => [
        call.sip.callId,
        call.channels.reduce((sum, channel) => sum + (channel.packetsReceived ?? 0), 0),
      ]),
    );
    const sentBy = (call: GeneratedCall): number =>
      call.streams.reduce((sum, stream) => sum + stream.packetsSent, 0);
    const metrics = new Reading(await earshot.get<string>('/metrics'));
    const statuses = refused.map(({ failure }) => String(failure?.status ?? failure?.code));
    const waits = refused.flatMap(({ failure }) => failure?.retryAfterS ?? []);
    return {
      setup: {
        calls: Number(calls),
        size: Number(size),
        rampS: Number(ramp),
        seconds: Number(seconds),
        transport,
      },
      node: { capacityCallsBefore: before.capacityCalls, maxCalls: before.maxCalls },
      answered: answered.length,
      servedWhole: answered.filter(
        (call) => call.failure === null && received.get(call.callId) === sentBy(call),
      ).length,
      complete,
      refused: Object.fromEntries(
        [...new Set(statuses)].map((status) => [status, statuses.filter((s) => s === status).length]),
      ),
      refusedBecause: metrics.byLabel('earshot_admission_refusals_total', 'reason'),
      retryAfterS: { least: quantile(waits, 0), p50: quantile(waits, 0.5), most: quantile(waits, 1) },
      inviteToFinalMs: { answered: timesOf(answered), refused: timesOf(refused) },
      packetsSent: answered.reduce((sum, call) => sum + sentBy(call), 0),
      packetsMissing: answered.reduce(
        (sum, call) => sum + sentBy(call) - (received.get(call.callId) ?? 0),
        0,
      ),
      lagSeconds: {
        note: 'upper end of a histogram bucket',
        p99: metrics.quantile('earshot_channel_lag_seconds', 0.99),
      },
      generatorLatestTickMs: report.latestTickMs,
    };
  } finally {
    await earshot.stop();
  }
}

/** A node that has just said that it is ready still loads what is to stand by. */
async function whenUp(earshot: EarshotProcess): Promise<Capacity> {
  const limit = performance.now() + UP_LIMIT_MS;
  for (;;) {
    const capacity = await earshot.get<Capacity>('/v1/capacity');
    const up = capacity.capacityCalls !== null && capacity.engines.length > 1;
    if (up || performance.now() > limit) return capacity;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

interface Capacity {
  readonly engines: readonly unknown[];
  readonly capacityCalls: number | null;
  readonly maxCalls: number | null;
}

function timesOf(calls: readonly GeneratedCall[]): object {
  const times = calls.flatMap(({ finalMs }) => finalMs ?? []);
  return {
    count: times.length,
    p50: round(quantile(times, 0.5), 1),
    p99: round(quantile(times, 0.99), 1),
    most: round(quantile(times, 1), 1),
  };
}
