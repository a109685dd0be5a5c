import { readFile, readdir } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { progress } from '../machine.ts';
import { median, round } from '../statistics.ts';
import { EngineProgram, type PacedReport, type Setup } from './engine-program.ts';
import { findLargest } from './search.ts';
import type { Tapes } from './tapes.ts';

export interface MeasureOptions {
  readonly seconds: number;
  readonly rounds: number;
  readonly batches: readonly number[];
  readonly boundMs: number;
  readonly most: number;
  readonly pin: number | null;
  readonly peer: boolean;
  readonly gated: boolean;
  readonly tapes: Tapes;
}

/** Twice the largest batch, so that there is always a full one; a model of a few channels per core has not the time. */
const rawChannels = (estimate: number): number => (estimate > 100 ? 128 : 64);
const rawSeconds = (estimate: number): number => Math.max(40, Math.min(400, 2 * estimate));
const PEER_BATCHES = [1, 8, 16, 32, 64];
/** With fewer words a 95th percentile says nothing: the model does not understand them, or their times are not known. */
const WORDS_ENOUGH = 40;
/** The first search: from the engine's own estimate; later ones begin where the last one ended. */
const FIRST = { growth: 1.5, precision: 0.06 };
const AGAIN = { growth: 1.15, precision: 0.04 };

/** Everything about one model's folder. */
export async function measureModel(model: string, options: MeasureOptions): Promise<object> {
  const { tapes, batches, pin } = options;
  const setup = (batch: number): Setup => ({
    model,
    batch,
    maxChannels: options.most,
    speech: tapes.speech,
    conversations: tapes.conversations,
    withLanguageModel: false,
  });
  const largest = Math.max(...batches);
  const ours = await EngineProgram.start('ours', setup(largest), pin);
  try {
    const { ready } = ours;
    progress(`asr: ${ready.model}, ${ready.format}`);
    const files = await filesOf(model);
    const peer = options.peer ? await bestPeer(setup, pin, ready.estimate) : null;
    try {
      const programs = peer === null ? [ours] : [ours, peer.program];
      const [earshot = null, sherpaOnnx = null] = await rawRates(programs, options.rounds, ready.estimate);
      const compared = await compare(ours, peer?.program ?? null, options);
      const withLanguageModel = ready.languageModel
        ? await capacityOfCalls(setup(largest), options, compared)
        : null;
      const gated = options.gated ? await gatedCapacity(ours, options, compared) : null;
      const byBatch = await capacityByBatch(setup, options, largest, compared);
      return {
        model: ready.model,
        format: ready.format,
        chunkMs: ready.chunkMs,
        files,
        paced: compared.result,
        withLanguageModel,
        pacedByLargestBatch: byBatch,
        unpaced: {
          note: 'audio seconds by second of CPU time; nothing is paced, no latency is asked for',
          earshot,
          sherpaOnnx: peer === null ? null : { ...sherpaOnnx, batch: peer.batch, byBatch: peer.byBatch },
          ratio: ratio(earshot?.channelsPerCore ?? null, sherpaOnnx?.channelsPerCore ?? null),
        },
        gated,
      };
    } finally {
      await peer?.program.stop();
    }
  } finally {
    await ours.stop();
  }
}

const ratio = (ours: number | null, theirs: number | null): number | null =>
  ours === null || theirs === null ? null : round(ours / theirs, 2);

/** What was measured, so that a figure can be told from that of another file. */
async function filesOf(folder: string): Promise<object[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.onnx')).sort();
  return Promise.all(
    names.map(async (name) => {
      const bytes = await readFile(join(folder, name));
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      return { name, bytes: bytes.length, sha256: sha256.slice(0, 16) };
    }),
  );
}

interface RawRates {
  readonly channelsPerCore: number | null;
  readonly byRound: readonly (number | null)[];
}

/** Both in turns. */
async function rawRates(
  programs: readonly EngineProgram[],
  rounds: number,
  estimate: number,
): Promise<RawRates[]> {
  const rates = programs.map(() => [] as number[]);
  for (let i = 0; i < rounds; i++) {
    for (const [which, program] of programs.entries()) {
      const channels = Math.min(rawChannels(estimate), program.ready.maxChannels);
      rates[which]!.push((await program.raw(channels, rawSeconds(estimate))).perCore);
    }
  }
  return rates.map((list) => ({
    channelsPerCore: round(median(list)),
    byRound: list.map((rate) => round(rate)),
  }));
}

interface Peer {
  readonly program: EngineProgram;
  /** Channels per core by batch size, and the size that was best. */
  readonly byBatch: Readonly<Record<string, number | null>>;
  readonly batch: number;
}

/** The peer with the batch size that suits it best. */
async function bestPeer(
  setup: (batch: number) => Setup,
  pin: number | null,
  estimate: number,
): Promise<Peer> {
  const byBatch: Record<string, number | null> = {};
  let best = { batch: 1, rate: 0 };
  for (const batch of PEER_BATCHES) {
    const program = await EngineProgram.start('peer', setup(batch), pin);
    try {
      await program.raw(batch, 5); // warms up
      const channels = rawChannels(estimate);
      const audioSeconds = rawSeconds(estimate) / 2;
      const rates = [await program.raw(channels, audioSeconds), await program.raw(channels, audioSeconds)];
      const rate = Math.max(...rates.map(({ perCore }) => perCore));
      byBatch[batch] = round(rate);
      if (rate > best.rate) best = { batch, rate };
    } finally {
      await program.stop();
    }
    progress(`asr: sherpa-onnx unpaced, batches of ${batch}: ${byBatch[batch]} channels per core`);
  }
  const program = await EngineProgram.start('peer', setup(best.batch), pin);
  return { program, byBatch, batch: best.batch };
}

interface Capacity {
  /** The most channels that held. */
  readonly channels: number;
  readonly report: PacedReport;
}

async function capacity(
  program: EngineProgram,
  name: string,
  options: MeasureOptions,
  guess: number,
  { growth, precision }: { growth: number; precision: number },
  { gated = false, words = false } = {},
): Promise<Capacity | null> {
  const found = await findLargest(
    async (channels) => {
      const report = await program.paced(channels, options.seconds, gated);
      const holds = within(report, options.boundMs, words);
      const { latencyMs, wordMs, cores } = report;
      progress(
        `asr: ${name}, ${channels} channels: ${report.brokenOff ? 'fell behind' : `p95 ${latencyMs.p95} ms, words ${wordMs.p95} ms, ${round(cores, 2)} cores`}`,
      );
      return { holds, report };
    },
    { guess, most: Math.min(options.most, program.ready.maxChannels), growth, precision },
  );
  return found === null ? null : { channels: found.number, report: found.report };
}

function within({ brokenOff, latencyMs, wordMs }: PacedReport, boundMs: number, words: boolean): boolean {
  const p95 = words ? wordMs.p95 : latencyMs.p95;
  return !brokenOff && p95 !== null && p95 <= boundMs;
}

const perCore = ({ channels, report }: Capacity): number | null =>
  report.cores === null ? null : channels / report.cores;

const described = (found: Capacity | null): object | null =>
  found === null
    ? null
    : {
        channels: found.channels,
        cores: round(found.report.cores, 3),
        modelThreadCores: round(found.report.modelThreadCores, 3),
        channelsPerCore: round(perCore(found)),
        latencyMs: found.report.latencyMs,
        wordLatencyMs: found.report.wordMs,
        rowsPerStep: round(found.report.rowsPerStep, 1),
      };

interface Compared {
  readonly most: number;
  readonly result: object;
}

/** Whole searches of ours and the peer in turns, so that what else the machine does hits both. */
async function compare(
  ours: EngineProgram,
  peer: EngineProgram | null,
  options: MeasureOptions,
): Promise<Compared> {
  const rounds = { ours: [] as (Capacity | null)[], peer: [] as (Capacity | null)[] };
  const estimate = Math.max(1, ours.ready.estimate * 0.6);
  let [ourGuess, peerGuess] = [estimate, estimate];
  for (let i = 0; i < options.rounds; i++) {
    const how = i === 0 ? FIRST : AGAIN;
    const our = await capacity(ours, 'earshot', options, ourGuess, how);
    rounds.ours.push(our);
    ourGuess = our?.channels ?? 1;
    if (peer === null) continue;
    const their = await capacity(peer, 'sherpa-onnx', options, peerGuess, how);
    rounds.peer.push(their);
    peerGuess = their?.channels ?? 1;
  }
  // By words there may be fewer: the search goes on below what held for audio.
  const understood = rounds.ours.at(-1)?.report.wordMs.samples ?? 0;
  const byWords =
    understood < WORDS_ENOUGH
      ? null
      : await capacity(ours, 'earshot by words', options, ourGuess, AGAIN, { words: true });
  const rate = (list: readonly (Capacity | null)[]): number | null =>
    median(list.flatMap((one) => (one === null ? [] : (perCore(one) ?? []))));
  const channels = (list: readonly (Capacity | null)[]): number | null =>
    median(list.map((one) => one?.channels ?? 0));
  return {
    most: channels(rounds.ours) ?? 1,
    result: {
      note: `the most channels whose audio is reported within ${options.boundMs} ms at the 95th percentile; medians of the rounds`,
      earshot: {
        channels: channels(rounds.ours),
        channelsPerCore: round(rate(rounds.ours)),
        rounds: rounds.ours.map(described),
        byWords: described(byWords),
      },
      sherpaOnnx:
        peer === null
          ? null
          : {
              channels: channels(rounds.peer),
              channelsPerCore: round(rate(rounds.peer)),
              rounds: rounds.peer.map(described),
            },
      ratio: ratio(rate(rounds.ours), rate(rounds.peer)),
    },
  };
}

/** Beside nothing else: the peer has no language model to do the same with. */
async function capacityOfCalls(
  setup: Setup,
  options: MeasureOptions,
  { most }: Compared,
): Promise<object | null> {
  const program = await EngineProgram.start('ours', { ...setup, withLanguageModel: true }, options.pin);
  try {
    return described(await capacity(program, 'earshot with its language model', options, most * 0.9, FIRST));
  } finally {
    await program.stop();
  }
}

async function gatedCapacity(
  ours: EngineProgram,
  options: MeasureOptions,
  { most }: Compared,
): Promise<object> {
  const found = await capacity(ours, 'earshot gated', options, most * 1.5, FIRST, { gated: true });
  return {
    note: "sip-tests' conversations, silence left out as media workers do",
    audioShare: round(found?.report.audioShare ?? null, 3),
    ...described(found),
  };
}

async function capacityByBatch(
  setup: (batch: number) => Setup,
  options: MeasureOptions,
  largest: number,
  { most }: Compared,
): Promise<object> {
  const byBatch: Record<string, object | null> = {};
  for (const batch of options.batches.filter((size) => size !== largest)) {
    const program = await EngineProgram.start('ours', setup(batch), options.pin);
    try {
      byBatch[batch] = described(
        await capacity(program, `earshot, batches to ${batch}`, options, most * 0.8, FIRST),
      );
    } finally {
      await program.stop();
    }
  }
  return byBatch;
}
