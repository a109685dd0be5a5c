/**
 * Recognises a recording: `node asr/transcribe.ts [--model FOLDER] [--vocabulary LIST.json] [--speech MARKS.json] FILE` prints one JSON object,
 * `{model, audioSeconds, seconds, segments: [{channel, fromTick, toTick, endpoint, words}]}`, ticks of 1/8000 s. The file
 * is a WAV of 16-bit PCM at 8 kHz, or a recording of Earshot in Opus, with any number of channels; a vocabulary is `[{"text": "as spoken", "boost": 2}]`, `-` for stdin.
 * The marks are what lies beside a recording of Earshot; without them speech is found anew, by the setting VAD.
 *
 * Exit code 2: the input is at fault, and trying again will not help. stderr has `{code, message}` of whatever went wrong.
 */
import {
  DEFAULT_BOOST,
  isEarshotError,
  MAX_BOOST,
  parseSpeechMarks,
  type SpeechMarks,
  vadKindOf,
  type VocabularyPhrase,
} from '@earshot/contracts';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { recognise } from './src/batch/recognise.ts';
import { AudioFileError, openAudioFile } from './src/batch/audio-file.ts';
import { describeModel } from './src/models/folder.ts';

const INPUT_AT_FAULT = 2;
const STDIN = 0;
const PARENT_CHECK_MS = 1000;
const SHIPPED_MODEL = fileURLToPath(new URL('./model', import.meta.url));

class InputError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

function phrasesIn(path: string): VocabularyPhrase[] {
  let list: unknown;
  try {
    list = JSON.parse(readFileSync(path === '-' ? STDIN : path, 'utf8'));
  } catch (error) {
    throw new InputError('REQUEST_INVALID', `vocabulary: ${(error as Error).message}`);
  }
  if (!Array.isArray(list)) throw new InputError('REQUEST_INVALID', 'vocabulary: not a list of phrases');
  return list.map((entry: unknown, i) => {
    const { text, boost = DEFAULT_BOOST } = (entry ?? {}) as { text?: unknown; boost?: unknown };
    const sound = typeof text === 'string' && typeof boost === 'number' && boost >= 0 && boost <= MAX_BOOST;
    if (!sound) throw new InputError('REQUEST_INVALID', `vocabulary: phrase ${i} is not {text, boost}`);
    return { text, boost };
  });
}

/** Null when there are none: recordings of older versions have none, and other files neither. */
function marksIn(path: string): SpeechMarks | null {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  return parseSpeechMarks(text);
}

/** Whoever asked is gone and begins anew: nobody waits for the words. */
function endWithParent(): void {
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) process.exit(1);
  }, PARENT_CHECK_MS).unref();
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: {
      model: { type: 'string' },
      vocabulary: { type: 'string' },
      speech: { type: 'string' },
      'end-with-parent': { type: 'boolean' },
    },
    allowPositionals: true,
  });
  const [path] = positionals;
  if (path === undefined || positionals.length > 1) {
    throw new InputError(
      'REQUEST_INVALID',
      'usage: node asr/transcribe.ts [--model FOLDER] [--vocabulary LIST.json] [--speech MARKS.json] FILE',
    );
  }
  if (values['end-with-parent'] === true) endWithParent();
  const startMs = performance.now();
  const model = describeModel(values.model ?? SHIPPED_MODEL);
  const phrases = values.vocabulary === undefined ? [] : phrasesIn(values.vocabulary);
  const marks = values.speech === undefined ? null : marksIn(values.speech);
  const file = await openAudioFile(path);
  try {
    const segments = await recognise(file, model, phrases, marks, vadKindOf(process.env['VAD']));
    const audioSeconds = (file.samples * file.channels) / 8000;
    const seconds = Math.round(performance.now() - startMs) / 1000;
    process.stdout.write(`${JSON.stringify({ model: model.name, audioSeconds, seconds, segments })}\n`);
  } finally {
    await file.close();
  }
}

try {
  await main();
} catch (error) {
  const { message } = error as Error;
  const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
  const input =
    isEarshotError(error) || error instanceof InputError
      ? error.code
      : error instanceof AudioFileError || missing
        ? 'RECORDING_MISSING'
        : null;
  process.stderr.write(`${JSON.stringify({ code: input ?? 'INTERNAL', message })}\n`);
  process.exitCode = input === null ? 1 : INPUT_AT_FAULT;
}
