import { spawn } from 'node:child_process';
import { constants, setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Endpoint, VocabularyPhrase, Word } from '@earshot/contracts';

/** The recogniser of recordings; a program of its own, because services do not import each other. */
const TRANSCRIBE = fileURLToPath(new URL('../../../asr/transcribe.ts', import.meta.url));
/** Exit code of a fault in what it was given: trying again does not help. */
const INPUT_AT_FAULT = 2;
const MAX_STDERR = 4000;

export interface RecognisedSegment {
  readonly channel: number;
  readonly fromTick: number;
  readonly toTick: number;
  readonly endpoint?: Endpoint;
  readonly words: readonly Word[];
}

export interface Recognised {
  readonly model: string;
  readonly segments: readonly RecognisedSegment[];
}

/** It cannot be recognised, now or later; `code` is one of the error catalogue where the recogniser knew one. */
export class RecognitionRefused extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.name = 'RecognitionRefused';
    this.code = code;
  }
}

export interface RecognitionTask {
  readonly path: string;
  /** What of it was found to be speech (SpeechMarks); it may be missing. */
  readonly speechPath: string;
  /** Folder of the model; null: the shipped one. */
  readonly model: string | null;
  readonly phrases: readonly VocabularyPhrase[];
  readonly limitMs: number;
  /** Aborted: the recogniser is killed, and the job is another process's. */
  readonly signal: AbortSignal;
}

/**
 * Runs the recogniser in a process of its own at low priority: a live call comes first, and what a file does to it is done to
 * nobody else.
 * @throws RecognitionRefused; Error when it was killed, ran too long or crashed
 */
export async function recogniseRecording(task: RecognitionTask): Promise<Recognised> {
  const model = task.model === null ? [] : ['--model', task.model];
  const child = spawn(
    process.execPath,
    [
      TRANSCRIBE,
      '--end-with-parent',
      '--vocabulary',
      '-',
      '--speech',
      task.speechPath,
      ...model,
      '--',
      task.path,
    ],
    { stdio: ['pipe', 'pipe', 'pipe'], signal: task.signal, killSignal: 'SIGKILL', timeout: task.limitMs },
  );
  const stdout: Buffer[] = [];
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-MAX_STDERR);
  });
  // A child that ends before it has read its phrases says why by its exit code.
  child.stdin.on('error', () => undefined);
  child.stdin.end(JSON.stringify(task.phrases));
  if (child.pid !== undefined) lowerPriority(child.pid);
  const end = await new Promise<{ code: number | null; signal: string | null; error: Error | null }>(
    (resolve) => {
      child.once('error', (error) => resolve({ code: null, signal: null, error }));
      child.once('close', (code, signal) => resolve({ code, signal, error: null }));
    },
  );
  if (end.error !== null) throw end.error;
  if (end.code === 0) return JSON.parse(Buffer.concat(stdout).toString('utf8')) as Recognised;
  const said = faultIn(stderr);
  if (end.code === INPUT_AT_FAULT && said !== null) throw new RecognitionRefused(said.code, said.message);
  throw new Error(
    `the recogniser ended with ${end.signal ?? `code ${end.code}`}: ${said?.message ?? 'no word'}`,
  );
}

function lowerPriority(pid: number): void {
  try {
    setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch (_gone) {
    // It ended already, which its exit code tells.
  }
}

/** The last line of stderr, where it is what the recogniser says of a fault. */
function faultIn(stderr: string): { code: string; message: string } | null {
  try {
    const said = JSON.parse(stderr.trim().split('\n').at(-1) ?? '') as { code?: unknown; message?: unknown };
    const { code, message } = said;
    return typeof code === 'string' && typeof message === 'string' ? { code, message } : null;
  } catch (_notJson) {
    return null;
  }
}
