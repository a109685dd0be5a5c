import type { SpeechMark } from '@earshot/contracts';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { bytesOf } from '../speech/sound.ts';

const PROGRAM = fileURLToPath(new URL('../../../asr/bench.ts', import.meta.url));

/**
 * What the engine makes of recordings (8 kHz), in a process of its own.
 * @param gated whether silence is left out as the live path does it @returns texts in the order of the recordings
 */
export async function recognise(
  model: string,
  gated: boolean,
  recordings: readonly Int16Array[],
  marks: readonly (readonly SpeechMark[])[] | null = null,
): Promise<{ model: string; audioSeconds: number; texts: string[] }> {
  const folder = await mkdtemp(join(tmpdir(), 'es-wer-'));
  try {
    const files: string[] = [];
    for (const [i, pcm] of recordings.entries()) {
      const path = join(folder, `${i}.raw`);
      await writeFile(path, bytesOf(pcm));
      files.push(path);
    }
    const running = promisify(execFile)(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', PROGRAM, 'words'],
      { maxBuffer: 1 << 28 },
    );
    running.child.stdin?.end(JSON.stringify({ model, gated, files, marks }));
    const { stdout } = await running;
    const result = JSON.parse(stdout) as {
      model: string;
      audioSeconds: number;
      files: { words: { text: string }[] }[];
    };
    const texts = result.files.map((file) => file.words.map(({ text }) => text).join(' '));
    return { model: result.model, audioSeconds: result.audioSeconds, texts };
  } finally {
    await rm(folder, { recursive: true });
  }
}
