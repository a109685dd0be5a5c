import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export interface SherpaJob {
  /** sherpa-onnx's modelConfig. */
  readonly model: Readonly<Record<string, unknown>>;
  readonly audio: readonly { readonly base64: string; readonly sampleRate: number }[];
}

export interface SherpaResult {
  readonly tokens: readonly string[];
  /** Seconds. */
  readonly timestamps: readonly number[];
  readonly text: string;
}

/** What sherpa-onnx recognises in each of the recordings, each as a stream of its own, without its end being told. */
export async function sherpa(
  model: SherpaJob['model'],
  audio: readonly Int16Array[],
  sampleRate: number,
): Promise<SherpaResult[]> {
  const job: SherpaJob = {
    model,
    audio: audio.map((pcm) => ({
      base64: Buffer.from(pcm.buffer, pcm.byteOffset, pcm.byteLength).toString('base64'),
      sampleRate,
    })),
  };
  return new Promise((resolve, reject) => {
    const path = fileURLToPath(new URL('./sherpa-child.ts', import.meta.url));
    const child = execFile(
      process.execPath,
      [path],
      { maxBuffer: 64 * 1024 * 1024, timeout: 120_000 },
      (error, stdout, stderr) => {
        if (error !== null) reject(new Error(`sherpa-onnx: ${error.message}\n${stderr}`));
        else resolve(JSON.parse(stdout) as SherpaResult[]);
      },
    );
    child.stdin?.end(JSON.stringify(job));
  });
}
