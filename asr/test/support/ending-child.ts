/** A process that ends while its model thread is inside a step, as one does that is told to stop while it measures its model. */
import { StepThread } from '../../src/engine/step-thread.ts';
import { describeModel } from '../../src/models/folder.ts';
import { SHIPPED_MODEL } from './rig.ts';

const ROWS = 64;

const thread = await StepThread.start(describeModel(SHIPPED_MODEL), ROWS, [ROWS]);
for (let step = 0; step < 4; step++) void thread.step(ROWS, ROWS).catch(() => undefined);
setTimeout(() => {
  process.stdout.write('ends\n');
  process.exit(0);
}, 10);
