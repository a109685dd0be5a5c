import { runChild } from '@earshot/platform';
import { startWorker } from './src/worker/worker.ts';

await runChild('media', startWorker);
