import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { progress } from './machine.ts';
import {
  compileLoad,
  generate,
  type GeneratorReport,
  Receiver,
  type ReceiverKind,
} from './media/programs.ts';
import { MediaWorkers } from './media/workers.ts';
import { cpuSeconds, kernelDrops } from './processes.ts';
import { quantile, round } from './statistics.ts';

const PACKETS_A_SECOND = 50;
/** Node's compiler and the first legs' files are not what is measured. */
const WARM_UP_SECONDS = 3;

/**
 * So many RTP streams from a C generator to media workers: what was sent, counted and dropped, how late the event loop was, CPU by
 * stream and by packet, beside a C program that only receives, a worker's reader alone, and Node's sockets with rtp.js.
 * bench/README.md says how to read it.
 */
export async function media(args: string[]): Promise<object> {
  const { values } = parseArgs({
    args,
    options: {
      streams: { type: 'string', default: '1000' },
      /** Of the workers. */
      seconds: { type: 'string', default: '60' },
      /** Of each program that only receives, a round. */
      'peer-seconds': { type: 'string', default: '20' },
      /** Of the programs that only receive, in turns. */
      rounds: { type: 'string', default: '2' },
      workers: { type: 'string', default: '1' },
      /** Workers whose sockets dgram reads, too. */
      dgram: { type: 'boolean', default: false },
    },
  });
  const streams = Number(values.streams);
  const seconds = Number(values.seconds);
  const workers = Number(values.workers);
  const folder = await mkdtemp(join(tmpdir(), 'es-b-'));
  try {
    const load = await compileLoad(folder);
    const peers = { c: [], native: [], dgram: [] } as Record<ReceiverKind, Measured[]>;
    for (let n = 0; n < Number(values.rounds); n++) {
      for (const kind of ['c', 'native', 'dgram'] as const) {
        peers[kind].push(await measureReceiver(kind, load, streams, Number(values['peer-seconds'])));
        progress(`media: ${NAMES[kind]}, ${peers[kind].at(-1)!.microsecondsPerPacket} us a packet`);
      }
    }
    const run = (reader: string): Promise<WorkersMeasured> =>
      measureWorkers(join(folder, reader), load, streams, seconds, workers, { RTP_READER: reader });
    const native = await run('native');
    progress(
      `media: workers, ${native.microsecondsPerPacket} us a packet, ${native.counted} of ${native.sent}`,
    );
    const dgram = values.dgram ? await run('dgram') : null;
    return {
      setup: {
        streams,
        packetsPerSecond: streams * PACKETS_A_SECOND,
        seconds,
        workers,
        packets: 'PCMU, 20 ms, 172 bytes; each stream a second of noise, a second of silence',
        generator: 'C, sendmmsg each 1 ms, on this machine: the kernel takes in what it sends at its expense',
      },
      workers: native,
      workersByDgram: dgram,
      onlyReceiving: {
        note: 'the C program drains all sockets by recvmmsg every 20 ms: the limit; medians of the rounds',
        cProgram: best(peers.c),
        nativeReader: best(peers.native),
        nodeSocketsWithRtpJs: best(peers.dgram),
      },
      ratios: {
        note: 'CPU a packet by that of another',
        nativeReaderToC: ratio(best(peers.native), best(peers.c)),
        nodeSocketsToC: ratio(best(peers.dgram), best(peers.c)),
        nativeReaderToNodeSockets: ratio(best(peers.native), best(peers.dgram)),
        workersToC: ratio(native, best(peers.c)),
        workersToNodeSockets: ratio(native, best(peers.dgram)),
      },
    };
  } finally {
    await rm(folder, { recursive: true });
  }
}

const NAMES: Readonly<Record<ReceiverKind, string>> = {
  c: 'C program',
  native: 'native reader alone',
  dgram: 'Node sockets with rtp.js',
};

interface Measured {
  readonly sent: number;
  readonly counted: number;
  readonly droppedByKernel: number;
  /** Sent, and neither counted nor dropped: 0, or something is wrong. */
  readonly unaccounted: number;
  readonly cores: number | null;
  readonly microsecondsPerPacket: number | null;
  readonly generator: { readonly latestMs: number; readonly microsecondsPerPacket: number | null };
}

/** The median round by CPU. */
function best(rounds: readonly Measured[]): Measured {
  const sorted = rounds.toSorted((a, b) => (a.microsecondsPerPacket ?? 0) - (b.microsecondsPerPacket ?? 0));
  return sorted[(sorted.length - 1) >> 1]!;
}

const ratio = (one: Measured, other: Measured): number | null =>
  one.microsecondsPerPacket === null || other.microsecondsPerPacket === null
    ? null
    : round(one.microsecondsPerPacket / other.microsecondsPerPacket, 2);

async function cpuOf(pids: readonly number[]): Promise<number> {
  const each = await Promise.all(pids.map(cpuSeconds));
  return each.reduce<number>((sum, value) => sum + (value ?? NaN), 0);
}

async function dropsOf(ports: readonly number[]): Promise<Map<number, number>> {
  const drops = await kernelDrops(1, 65535);
  return new Map(ports.flatMap((port) => ((drops.get(port) ?? 0) > 0 ? [[port, drops.get(port)!]] : [])));
}

const sum = (values: Iterable<number>): number => [...values].reduce((total, value) => total + value, 0);

function measured(report: GeneratorReport, counted: number, dropped: number, cpu: number): Measured {
  const { sent } = report;
  return {
    sent,
    counted,
    droppedByKernel: dropped,
    unaccounted: sent - counted - dropped,
    cores: round(cpu / report.seconds, 3),
    microsecondsPerPacket: round((cpu * 1e6) / sent, 2),
    generator: {
      latestMs: report.latestMs,
      microsecondsPerPacket: round((report.cpuSeconds * 1e6) / sent, 2),
    },
  };
}

async function measureReceiver(
  kind: ReceiverKind,
  load: string,
  streams: number,
  seconds: number,
): Promise<Measured> {
  const receiver = await Receiver.start(kind, load, streams);
  let before = 0;
  const { report, sentBefore } = await generate(load, receiver.ports, WARM_UP_SECONDS, seconds, async () => {
    before = await cpuOf([receiver.pid]);
  });
  const cpu = (await cpuOf([receiver.pid])) - before;
  const dropped = sum((await dropsOf(receiver.ports)).values());
  const counted = await receiver.stop();
  return measured(report, counted - sentBefore, dropped, cpu);
}

interface WorkersMeasured extends Measured {
  readonly reader: string;
  readonly cpuPercentPerStream: number | null;
  readonly loopDelayMs: object;
  readonly rejected: number;
  readonly lost: number;
  readonly socketsWithDrops: readonly { port: number; drops: number }[];
  readonly fedAudioShare: number | null;
}

async function measureWorkers(
  folder: string,
  load: string,
  streams: number,
  seconds: number,
  count: number,
  env: { RTP_READER: string },
): Promise<WorkersMeasured> {
  const workers = await MediaWorkers.start(folder, count, env);
  try {
    const ports = await workers.open(streams);
    let before = 0;
    const { report, sentBefore } = await generate(load, ports, WARM_UP_SECONDS, seconds, async () => {
      await workers.takeLoopDelays();
      before = await cpuOf(workers.pids);
    });
    const cpu = (await cpuOf(workers.pids)) - before;
    const delays = await workers.takeLoopDelays();
    const drops = await dropsOf(ports);
    const totals = await workers.close();
    const counted = sum(totals.map((channel) => channel.packetsReceived));
    const result = measured(report, counted - sentBefore, sum(drops.values()), cpu);
    return {
      reader: env.RTP_READER,
      ...result,
      cpuPercentPerStream: round((100 * (result.cores ?? NaN)) / streams, 4),
      loopDelayMs: {
        note: 'a timer of 10 ms in each worker',
        p50: round(quantile(delays, 0.5), 1),
        p99: round(quantile(delays, 0.99), 1),
        max: round(quantile(delays, 1), 1),
      },
      rejected: sum(totals.map((channel) => channel.packetsRejected)),
      lost: sum(totals.map((channel) => channel.packetsLost)),
      socketsWithDrops: [...drops].map(([port, each]) => ({ port, drops: each })),
      fedAudioShare: round(workers.sink.audioTicks / (workers.sink.audioTicks + workers.sink.gapTicks), 3),
    };
  } finally {
    await workers.stop();
  }
}
