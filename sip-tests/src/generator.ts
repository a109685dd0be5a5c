import type { CallStream } from './call.ts';
import { CallFleet, type FleetOptions, percentile } from './fleet.ts';

export interface GeneratedCall {
  callId: string;
  dialogue: string;
  answered: boolean;
  /** Milliseconds; null when not answered. */
  setupMs: number | null;
  /** Milliseconds to the final answer, whatever that was; null when none came. */
  finalMs: number | null;
  streams: CallStream[];
  /** Code, SIP status (null without one) and text; null when all went well. */
  failure: { code: string; status: number | null; message: string; retryAfterS: number | null } | null;
}

/** What one run of the load generator did; times of streams are epoch milliseconds. */
export interface GeneratorReport {
  setup: {
    calls: number;
    seconds: number | null;
    rampS: number;
    to: string;
    transport: string;
    codec: string;
    kind: string;
  };
  startedAtMs: number;
  endedAtMs: number;
  calls: { offered: number; answered: number; failed: number };
  /** INVITE to 2xx of the answered calls; null when there are none. */
  setupMs: { p50: number; p99: number; max: number } | null;
  packetsSent: number;
  /** How late the pacing timer was at worst: above 20 the generator's machine was too busy to judge by. */
  latestTickMs: number;
  perCall: GeneratedCall[];
}

/** Makes the calls of a benchmark and says what was sent when. Aborting the signal ends all calls well. */
export async function generate(options: FleetOptions, signal?: AbortSignal): Promise<GeneratorReport> {
  const fleet = await CallFleet.open(options);
  const stop = () => {
    fleet.stop();
  };
  signal?.addEventListener('abort', stop);
  const startedAtMs = Date.now();
  try {
    const results = await fleet.run();
    const setups = results.flatMap(({ setupMs }) => setupMs ?? []);
    const { server, transport, codec, kind = 'siprec', calls, seconds = null, rampS } = options;
    return {
      setup: { calls, seconds, rampS, to: `${server.host}:${server.port}`, transport, codec, kind },
      startedAtMs,
      endedAtMs: Date.now(),
      calls: {
        offered: results.length,
        answered: setups.length,
        failed: results.filter(({ failure }) => failure !== undefined).length,
      },
      setupMs:
        setups.length === 0
          ? null
          : { p50: percentile(setups, 0.5), p99: percentile(setups, 0.99), max: Math.max(...setups) },
      packetsSent: fleet.progress().packetsSent,
      latestTickMs: fleet.latestTickMs,
      perCall: results.map(({ failure, ...call }) => ({
        ...call,
        failure:
          failure === undefined
            ? null
            : {
                code: failure.code,
                status: failure.status ?? null,
                message: failure.message,
                retryAfterS: failure.retryAfterS ?? null,
              },
      })),
    };
  } finally {
    signal?.removeEventListener('abort', stop);
    await fleet.close();
  }
}
