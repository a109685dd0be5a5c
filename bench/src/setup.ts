import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { EarshotProcess } from '../../sip-tests/src/earshot-process.ts';
import { cpuByProcess } from './processes.ts';
import { Reading } from './prometheus.ts';
import { quantile, round } from './statistics.ts';

const SCENARIOS = fileURLToPath(new URL('../../sip-tests/scenarios/', import.meta.url));
const LOOK_EVERY_MS = 500;

/** SIPp sets up SIPREC calls without RTP at a steady rate: failed calls, INVITE to 200, CPU. Needs sipp (Debian: sip-tester). */
export async function setup(args: string[]): Promise<object> {
  const { values } = parseArgs({
    args,
    options: {
      rate: { type: 'string', default: '50' },
      seconds: { type: 'string', default: '60' },
      live: { type: 'string', default: '500' },
      transport: { type: 'string', default: 'udp' },
    },
  });
  const [rate, seconds, live] = [Number(values.rate), Number(values.seconds), Number(values.live)];
  const folder = await mkdtemp(join(tmpdir(), 'bench-setup-'));
  const earshot = await EarshotProcess.start({ env: { LOG_LEVEL: 'warn', RTP_TIMEOUT_S: '86400' } });
  try {
    const cpuBefore = await cpuByProcess(earshot.pid);
    let mostLive = 0;
    const watch = setInterval(() => {
      void earshot
        .get<{ liveCalls: number | null }>('/v1/drain')
        .then(({ liveCalls }) => (mostLive = Math.max(mostLive, liveCalls ?? 0)))
        // Beside a machine under load a look may fail; the next one tells.
        .catch((error: unknown) => process.stderr.write(`live calls: ${String(error)}\n`));
    }, LOOK_EVERY_MS);
    const startedMs = performance.now();
    const exit = await runSipp(folder, [
      `${earshot.sip.host}:${earshot.sip.port}`,
      ...['-sf', join(SCENARIOS, 'signalling.xml'), '-inf', join(SCENARIOS, 'callers.csv')],
      ...[
        '-s',
        'recorder',
        '-i',
        '127.0.0.1',
        '-mi',
        '127.0.0.1',
        '-t',
        values.transport === 'tcp' ? 't1' : 'u1',
      ],
      ...[
        '-r',
        String(rate),
        '-m',
        String(rate * seconds),
        '-d',
        String((live / rate) * 1000),
        '-l',
        String(4 * live),
      ],
      ...[
        '-trace_rtt',
        '-rtt_freq',
        '50',
        '-trace_stat',
        '-fd',
        '1',
        '-nostdin',
        '-timeout',
        `${3 * seconds + 60}`,
      ],
    ]);
    clearInterval(watch);
    const wallSeconds = (performance.now() - startedMs) / 1000;
    const cpuAfter = await cpuByProcess(earshot.pid);
    const metrics = new Reading(await earshot.get<string>('/metrics'));
    const times = await responseTimes(folder);
    return {
      setup: {
        callsPerSecond: rate,
        seconds,
        liveAimedAt: live,
        transport: values.transport,
        caller: 'SIPp, same machine, no RTP',
      },
      calls: { ...(await counted(folder)), mostLive, sippExit: exit },
      inviteTo200Ms: {
        count: times.length,
        p50: round(quantile(times, 0.5), 1),
        p99: round(quantile(times, 0.99), 1),
        most: round(quantile(times, 1), 1),
      },
      gatewaySetupSeconds: {
        note: 'upper end of a histogram bucket',
        p99: metrics.quantile('earshot_call_setup_seconds', 0.99),
      },
      refusedBecause: metrics.byLabel('earshot_admission_refusals_total', 'reason'),
      cpuCoresByProcess: Object.fromEntries(
        [...cpuAfter].map(([name, used]) => [
          name,
          round((used - (cpuBefore.get(name) ?? 0)) / wallSeconds, 3),
        ]),
      ),
    };
  } finally {
    await earshot.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

/** @returns its exit status: 0 when every call went as the scenario has it */
async function runSipp(folder: string, argv: string[]): Promise<number> {
  try {
    await promisify(execFile)('/usr/bin/sipp', argv, { cwd: folder, maxBuffer: 1 << 26 });
    return 0;
  } catch (error) {
    const { code } = error as { code?: unknown };
    if (typeof code !== 'number') throw error;
    return code;
  }
}

async function linesOf(folder: string, ending: string): Promise<string[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(ending));
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')));
  return texts.flatMap((text) => text.trim().split('\n'));
}

/** `time;response time;name` of each call, by -trace_rtt. */
const responseTimes = async (folder: string): Promise<number[]> =>
  (await linesOf(folder, '_rtt.csv')).map((line) => Number(line.split(';')[1])).filter(Number.isFinite);

/** The last line of -trace_stat by its header. */
async function counted(folder: string): Promise<object> {
  const lines = (await linesOf(folder, '_.csv')).map((line) => line.split(';'));
  const value = (name: string): number | null => {
    const column = lines[0]?.indexOf(name) ?? -1;
    return column < 0 ? null : Number(lines.at(-1)?.[column]);
  };
  return {
    made: value('TotalCallCreated'),
    successful: value('SuccessfulCall(C)'),
    failed: value('FailedCall(C)'),
    retransmissions: value('Retransmissions(C)'),
  };
}
