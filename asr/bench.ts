/**
 * The engine's side of the benchmarks: `node asr/bench.ts [model folder]` prints channels per core of the model's steps alone, by
 * batch size, as one JSON object. The programs that `npm run bench` starts speak JSON, a line each (bench/protocol.ts):
 * `ours` (this engine), `peer` (sherpa-onnx) and `words` (recordings to words).
 */
import { fileURLToPath } from 'node:url';
import { startOurs } from './bench/ours.ts';
import { startPeer } from './bench/peer.ts';
import { serve } from './bench/protocol.ts';
import { measureSteps } from './bench/raw.ts';
import { recogniseFiles } from './bench/words.ts';

const [first] = process.argv.slice(2);
switch (first) {
  case 'ours':
    await serve(startOurs);
    break;
  case 'peer':
    await serve(startPeer);
    break;
  case 'words':
    await recogniseFiles();
    break;
  default: {
    const folder = first ?? fileURLToPath(new URL('./model', import.meta.url));
    console.log(JSON.stringify({ bench: 'asr-steps', ...(await measureSteps(folder)) }));
  }
}
