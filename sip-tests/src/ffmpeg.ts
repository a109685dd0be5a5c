import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { decodeWav, encodeWav } from './wav.ts';

const FFMPEG = '/usr/bin/ffmpeg';
export const hasFfmpeg = existsSync(FFMPEG);

/** Runs ffmpeg on bytes, with `argv` between its input and its output. @throws Error with what it said */
export function ffmpeg(
  input: Buffer,
  argv: readonly string[],
  inputArgv: readonly string[] = [],
): Promise<Buffer> {
  const all = ['-v', 'error', '-nostdin', ...inputArgv, '-i', 'pipe:0', ...argv, 'pipe:1'];
  return new Promise((resolve, reject) => {
    const child = execFile(
      FFMPEG,
      all,
      { encoding: 'buffer', maxBuffer: 1 << 28 },
      (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(new Error(`ffmpeg ${argv.join(' ')}: ${stderr.toString()}`, { cause: error }));
      },
    );
    child.stdin?.on('error', () => undefined).end(input);
  });
}

/** The same sound at another rate. */
export async function resampled(samples: Int16Array, from: number, to: number): Promise<Int16Array> {
  if (from === to) return samples;
  const wav = encodeWav({ rate: from, channels: [samples] });
  return onlyChannel(await ffmpeg(wav, ['-ar', String(to), '-f', 'wav']));
}

/** What a decoder of ffmpeg's makes of an encoded stream, at 8 kHz, mono. */
export async function decodedTo8k(encoded: Buffer, inputArgv: readonly string[]): Promise<Int16Array> {
  return onlyChannel(await ffmpeg(encoded, ['-ac', '1', '-ar', '8000', '-f', 'wav'], inputArgv));
}

function onlyChannel(wav: Buffer): Int16Array {
  const [samples] = decodeWav(wav).channels;
  if (samples === undefined) throw new Error('ffmpeg gave no audio');
  return samples;
}
