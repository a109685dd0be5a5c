import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { resample } from '../speech/resample.ts';
import { levelled } from '../speech/sound.ts';
import { readWav } from '../speech/wav.ts';

/** A recording of people, and what is said in it. */
export interface Clip {
  readonly file: string;
  readonly text: string;
  /** 8 kHz, at one level. */
  readonly pcm: Int16Array;
}

export interface Clips {
  readonly clips: readonly Clip[];
  /** Files that are named and cannot be read, and why. */
  readonly skipped: readonly { readonly file: string; readonly reason: string }[];
}

export interface ClipSource {
  readonly file: string;
  readonly text: string;
}

/** Lines of `file | format | source | transcript | …`; others are comments. */
export function readSources(listing: string): ClipSource[] {
  return listing.split('\n').flatMap((line) => {
    const [file = '', , , text = ''] = line.split('|').map((field) => field.trim());
    // A name, not a path: the files lie beside the list.
    return text === '' || file === '' || basename(file) !== file ? [] : [{ file, text: text.toLowerCase() }];
  });
}

/** Sentences by the clips of a folder with SOURCES.txt. @throws Error without that file */
export async function readClips(folder: string): Promise<Clips> {
  const clips: Clip[] = [];
  const skipped: { file: string; reason: string }[] = [];
  for (const { file, text } of readSources(await readFile(join(folder, 'SOURCES.txt'), 'utf8'))) {
    try {
      const { pcm, sampleRate } = readWav(await readFile(join(folder, file)));
      clips.push({ file, text, pcm: levelled(resample(pcm, sampleRate, 8000)) });
    } catch (error) {
      skipped.push({ file, reason: (error as Error).message });
    }
  }
  return { clips, skipped };
}
