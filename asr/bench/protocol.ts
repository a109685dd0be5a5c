/**
 * What `npm run bench -- asr` and the programs of this folder say to each other: a line of JSON each, on standard input and
 * output. The first line in is a Setup, answered by Ready; then each Order is answered by its report.
 */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { LatencySummary } from './latencies.ts';

export interface TapeFile {
  /** 16-bit PCM, mono, 8 kHz, without a header. */
  readonly path: string;
  /** What is said on it, when every word's sound ends is known. */
  readonly words: readonly { readonly text: string; readonly endTick: number }[];
}

export interface Setup {
  /** Folder of the model. */
  readonly model: string;
  /** Rows of a batch, at most. */
  readonly batch: number;
  readonly maxChannels: number;
  /** Unbroken speech, played in a loop. */
  readonly speech: TapeFile;
  /** Parties of conversations with their silences, for what the gate saves. */
  readonly conversations: readonly TapeFile[];
  /** As calls are recognised, with the model's language model; otherwise by the best tokens, as the peer does. */
  readonly withLanguageModel: boolean;
}

export interface Ready {
  readonly model: string;
  readonly format: string;
  readonly chunkMs: number;
  readonly maxChannels: number;
  /** What batches of this size make of one thread, by the model's step alone; 0: not known. */
  readonly estimate: number;
  /** Whether withLanguageModel changes anything: the folder has one, and the program uses it. */
  readonly languageModel: boolean;
}

export type Order =
  /** Real time. `gated`: conversations, silence left out as media workers do. */
  | { readonly order: 'paced'; readonly channels: number; readonly seconds: number; readonly gated: boolean }
  /** As fast as it goes. */
  | { readonly order: 'raw'; readonly channels: number; readonly audioSeconds: number };

export interface PacedReport {
  readonly channels: number;
  /** Of audio of each channel that fell into the measured time. */
  readonly seconds: number;
  /** Fell so far behind that it was broken off. */
  readonly brokenOff: boolean;
  /** From the sound to the report of a result that took it in. */
  readonly latencyMs: LatencySummary;
  /** From the end of a word's sound to the word being told for the first time; understood words of up to 64 channels. */
  readonly wordMs: LatencySummary;
  /** CPU of the whole process, load generation included. */
  readonly cores: number;
  /** CPU of all but the main thread; null where everything is done by one thread. */
  readonly modelThreadCores: number | null;
  readonly rowsPerStep: number;
  /** Share of the time that was sent as audio. */
  readonly audioShare: number;
}

export interface RawReport {
  readonly channels: number;
  readonly audioSeconds: number;
  /** Audio seconds by second of CPU time (the whole process). */
  readonly perCore: number;
  /** Audio seconds by second of the wall clock. */
  readonly perSecond: number;
}

export interface Program {
  readonly ready: Ready;
  paced(order: Extract<Order, { order: 'paced' }>): Promise<PacedReport>;
  raw(order: Extract<Order, { order: 'raw' }>): Promise<RawReport>;
  close(): Promise<void>;
}

/** Runs a program until its input ends. */
export async function serve(start: (setup: Setup) => Promise<Program>): Promise<void> {
  const say = (value: object): boolean => process.stdout.write(`${JSON.stringify(value)}\n`);
  let program: Program | null = null;
  for await (const line of createInterface({ input: process.stdin })) {
    if (program === null) {
      program = await start(JSON.parse(line) as Setup);
      say(program.ready);
      continue;
    }
    const order = JSON.parse(line) as Order;
    say(order.order === 'paced' ? await program.paced(order) : await program.raw(order));
  }
  await program?.close();
}

export interface Tape {
  readonly pcm: Int16Array;
  readonly words: TapeFile['words'];
}

export function readTape({ path, words }: TapeFile): Tape {
  const bytes = readFileSync(path);
  const pcm = new Int16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + (bytes.length & ~1)));
  return { pcm, words };
}
