/**
 * `npm run train -- [options]`: hands over to the training pipeline in asr/training (Python, from Debian packages).
 * It needs the system's Python, where Debian's torch is; another may come first on the PATH. PYTHON names one.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const SYSTEM_PYTHON = '/usr/bin/python3';

const python = process.env.PYTHON ?? (existsSync(SYSTEM_PYTHON) ? SYSTEM_PYTHON : 'python3');
const result = spawnSync(python, ['-m', 'earshot_training', ...process.argv.slice(2)], {
  stdio: 'inherit',
  env: {
    ...process.env,
    PYTHONPATH: fileURLToPath(new URL('./training', import.meta.url)),
    PYTHONDONTWRITEBYTECODE: '1',
    // The model card has the engine judge the folder (asr/judge.ts).
    EARSHOT_NODE: process.execPath,
    // Each process of the pipeline computes on one core (asr/training/README.md).
    OMP_NUM_THREADS: process.env.OMP_NUM_THREADS ?? '1',
    OPENBLAS_NUM_THREADS: process.env.OPENBLAS_NUM_THREADS ?? '1',
  },
});
if (result.error !== undefined) {
  console.error(
    `train: ${python} does not start (${result.error.message}). Install python3, or name one with PYTHON.`,
  );
}
process.exitCode = result.status ?? 1;
