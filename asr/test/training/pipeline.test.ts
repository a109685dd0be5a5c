import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { shareBuffers } from '../../src/engine/shared-step.ts';
import { describeModel, loadModel } from '../../src/models/folder.ts';

const PYTHON = '/usr/bin/python3';
const TRAIN = fileURLToPath(new URL('../../train.ts', import.meta.url));

/** torch is half a gigabyte: who does not train does not need it. */
const present =
  existsSync(PYTHON) &&
  spawnSync(PYTHON, ['-c', 'import torch, onnx, scipy']).status === 0 &&
  existsSync('/usr/share/pocketsphinx/model/en-us/en-us.lm.bin') &&
  ['flite', 'festival', 'sox'].every((tool) => spawnSync('which', [tool]).status === 0);

describe.skipIf(!present)(
  'the training pipeline (needs python3-torch, python3-onnx, flite, festival, sox, pocketsphinx-en-us)',
  () => {
    const work = mkdtempSync(join(tmpdir(), 'es-train-'));
    const train = (...options: string[]) =>
      spawnSync(
        process.execPath,
        [TRAIN, '--work', work, '--out', join(work, 'model'), '--processes', '1', ...options],
        {
          encoding: 'utf8',
          timeout: 400_000,
        },
      );
    afterAll(() => rmSync(work, { recursive: true, force: true }));

    it(
      'goes from text to a model folder that the engine takes, and goes on where it was broken off',
      { timeout: 500_000 },
      async () => {
        const small = ['--hours', '0.01', '--minutes', '0.1', '--test-lines', '3', '--lm-lines', '2000'];
        const first = train(...small, '--stage', 'corpus', '--stage', 'pieces');
        expect(first.status, first.stderr).toBe(0);
        expect(first.stdout).toContain('shard 0000');
        const second = train(...small);
        expect(second.status, second.stderr).toBe(0);
        expect(second.stdout).not.toContain('shard 0000');

        const folder = join(work, 'model');
        const model = describeModel(folder);
        expect(model.pieces).toHaveLength(192);
        const recogniser = await loadModel(model, 4, [1, 4]);
        const buffers = shareBuffers(model, 4);
        buffers.channels.set([0, 1, 2, 3]);
        buffers.fresh.fill(1);
        buffers.pcm.set(buffers.pcm.map((_, i) => Math.round(3000 * Math.sin(i / 3))));
        await recogniser.step(buffers, 4, 4);
        expect([...buffers.best].every((value) => value <= 0 && Number.isFinite(value))).toBe(true);

        const card = readFileSync(join(folder, 'README.md'), 'utf8');
        expect(card).toContain('espeak:en-gb-scotland');
        // By the best tokens, and by the engine with the language model.
        expect(card).toMatch(/G\.711 \| \d+\.\d % → \d+\.\d %/);
        expect(model.languageModel?.file).toBe('lm.bin');
      },
    );

    it('says which packages are missing', () => {
      const result = spawnSync(process.execPath, [TRAIN], {
        encoding: 'utf8',
        env: { ...process.env, PATH: '/nowhere', PYTHON },
      });
      expect(result.status).toBe(1);
      expect(result.stderr).toMatch(/flite, festival, sox not found.*apt-get install/s);
    });
  },
);
