import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { decodeWav } from './wav.ts';

const FLITE = '/usr/bin/flite';
export const hasFlite = existsSync(FLITE);

/** A sentence by one of flite's voices. slt speaks at 16 kHz, kal at 8 kHz. */
export async function spoken(text: string, voice = 'slt'): Promise<{ rate: number; samples: Int16Array }> {
  const folder = await mkdtemp(join(tmpdir(), 'flite-'));
  try {
    const file = join(folder, 'speech.wav');
    await promisify(execFile)(FLITE, ['-voice', voice, '-t', text, '-o', file]);
    const { rate, channels } = decodeWav(await readFile(file));
    return { rate, samples: channels[0] ?? new Int16Array() };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
