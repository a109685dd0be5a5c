import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** The raw engine by batch size: asr/bench.ts in a process of its own. */
export async function asr(args: string[]): Promise<object> {
  const program = fileURLToPath(new URL('../../asr/bench.ts', import.meta.url));
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', program, ...args],
    {
      maxBuffer: 1 << 24,
    },
  );
  return JSON.parse(stdout) as object;
}
