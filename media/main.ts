import { runChild } from '@earshot/platform';
import { rehearse } from './src/worker/rehearsal.ts';
import { startWorker } from './src/worker/worker.ts';

await runChild('media', startWorker, rehearse);
