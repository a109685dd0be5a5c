/** The worker thread: onnxruntime's run() blocks its thread, so it has one of its own. */
import { isEarshotError } from '@earshot/contracts';
import { parentPort, workerData } from 'node:worker_threads';
import { loadModel } from '../models/folder.ts';
import type { Recogniser } from '../models/model.ts';
import { inside } from './native-gate.ts';
import type { StepReply, StepRequest, StepThreadData } from './shared-step.ts';

const port = parentPort;
if (port === null) throw new Error('step-worker runs in a worker thread');
const { description, maxChannels, sizes, buffers, spare, gate } = workerData as StepThreadData;
const reply = (message: StepReply): void => port.postMessage(message);

function fail(error: unknown): void {
  const code = isEarshotError(error) && error.code === 'MODEL_INVALID' ? 'MODEL_INVALID' : 'INTERNAL';
  reply({ type: 'failed', code, message: (error as Error).message });
}

/** A batch that is to take longer is not tried at start: a large model would keep its engine from starting for a minute. */
const LONGEST_TRIAL_SECONDS = 1;
/** Up to this long a batch is timed three times, else once. */
const QUICK_SECONDS = 0.1;

const stepOf = (recogniser: Recogniser, ...step: Parameters<Recogniser['step']>): Promise<void> =>
  inside(gate, () => recogniser.step(...step));

/** Warms each batch size up (memory plans, page faults) and times it; the largest of a slow model by those before. */
async function measure(recogniser: Recogniser): Promise<Map<number, number>> {
  const seconds = new Map<number, number>();
  buffers.fresh.fill(1);
  buffers.channels.forEach((_, row) => (buffers.channels[row] = row));
  let secondsPerRow = 0;
  for (const size of sizes) {
    const expected = secondsPerRow * size;
    if (expected > LONGEST_TRIAL_SECONDS) {
      seconds.set(size, expected);
      continue;
    }
    await stepOf(recogniser, buffers, size, size);
    let best = Infinity;
    for (let i = 0; i < (expected > QUICK_SECONDS ? 1 : 3); i++) {
      const startMs = performance.now();
      await stepOf(recogniser, buffers, size, size);
      best = Math.min(best, (performance.now() - startMs) / 1000);
    }
    seconds.set(size, best);
    secondsPerRow = best / size;
  }
  return seconds;
}

try {
  const recogniser = await inside(gate, () => loadModel(description, maxChannels, sizes));
  const secondsBySize = await measure(recogniser);
  const step = async (request: StepRequest): Promise<void> => {
    const startMs = performance.now();
    await stepOf(recogniser, request.spare ? spare : buffers, request.rows, request.size);
    reply({ type: 'stepped', seconds: (performance.now() - startMs) / 1000 });
  };
  // One batch after another: all go through the same tensors.
  let running = Promise.resolve();
  port.on('message', (request: StepRequest) => {
    running = running.then(() => step(request)).catch(fail);
  });
  reply({ type: 'ready', secondsBySize });
} catch (error) {
  fail(error);
}
