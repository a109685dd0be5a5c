/**
 * sherpa-onnx in a process of its own: it brings another onnxruntime, and ends its process when it does not like a model.
 * Reads one job as JSON from standard input, writes what it recognised as JSON.
 */
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import type { SherpaJob, SherpaResult } from './sherpa.ts';

interface Stream {
  acceptWaveform(audio: { samples: Float32Array; sampleRate: number }): void;
  inputFinished(): void;
}
interface Recognizer {
  createStream(): Stream;
  isReady(stream: Stream): boolean;
  decode(stream: Stream): void;
  getResult(stream: Stream): { tokens: string[]; timestamps: number[]; text: string };
}

const job = JSON.parse(readFileSync(0, 'utf8')) as SherpaJob;
const { OnlineRecognizer } = createRequire(import.meta.url)('sherpa-onnx-node') as {
  OnlineRecognizer: new (config: unknown) => Recognizer;
};
const recognizer = new OnlineRecognizer({
  featConfig: { sampleRate: 16000, featureDim: 80 },
  modelConfig: { ...job.model, numThreads: 1, provider: 'cpu', debug: 0 },
  decodingMethod: 'greedy_search',
  enableEndpoint: 0,
});
const results = job.audio.map(({ base64, sampleRate }): SherpaResult => {
  const bytes = Buffer.from(base64, 'base64');
  const pcm = new Int16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
  const samples = Float32Array.from(pcm, (sample) => sample / 32768);
  const stream = recognizer.createStream();
  // In pieces, as a stream comes.
  for (let at = 0; at < samples.length; at += 1600) {
    stream.acceptWaveform({ samples: samples.slice(at, at + 1600), sampleRate });
    while (recognizer.isReady(stream)) recognizer.decode(stream);
  }
  const { tokens, timestamps, text } = recognizer.getResult(stream);
  return { tokens, timestamps, text };
});
process.stdout.write(JSON.stringify(results));
