import { EarshotError } from '@earshot/contracts';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { StepThread } from '../../src/engine/step-thread.ts';
import { describeModel } from '../../src/models/folder.ts';
import { languageModelOf } from '../../src/models/language.ts';
import { SHIPPED_MODEL } from '../support/rig.ts';
import { type TinyTensor, tinyNetwork } from '../support/tiny-onnx.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'es-model-'));
  for (const name of ['model.json', 'model.onnx', 'tokens.txt', 'lm.bin']) {
    copyFileSync(join(SHIPPED_MODEL, name), join(folder, name));
  }
});
afterEach(() => rmSync(folder, { recursive: true }));

function setting(name: string, value: unknown): void {
  const path = join(folder, 'model.json');
  const settings = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
  writeFileSync(path, JSON.stringify({ ...settings, [name]: value }));
}

/** The refusal of the folder, as `CODE message`. */
async function refusal(): Promise<string> {
  try {
    const thread = await StepThread.start(describeModel(folder), 4, [1]);
    await thread.close();
    return 'taken';
  } catch (error) {
    expect(error).toBeInstanceOf(EarshotError);
    return `${(error as EarshotError).code} ${(error as EarshotError).message}`;
  }
}

describe('a model folder', () => {
  test('is taken when it is as it should be', async () => {
    expect(await refusal()).toBe('taken');
  });

  test.each(['model.onnx', 'tokens.txt', 'lm.bin'])('without %s is refused by that name', async (name) => {
    rmSync(join(folder, name));
    expect(await refusal()).toBe(`MODEL_MISSING ${name} is not in the model's folder, ${folder}`);
  });

  test.each([
    [
      'format',
      'zipformer9',
      'model.json: format is none of "t-one", "zipformer2-transducer", "zipformer2-ctc", "nemo-ctc", ' +
        '"nemo-transducer", "zipformer-transducer"',
    ],
    ['format', 'nemo-ctc', 'model.onnx: has no metadata vocab_size'],
    ['format', 'zipformer2-transducer', 'model.onnx: is one network, and the format is that of a transducer'],
    ['confidence', { bias: 1 }, 'model.json: confidence.mean is not a number'],
    ['languageModel', {}, 'model.json: languageModel.file is not the name of a file'],
    ['languageModel', { file: '../lm.bin' }, 'model.json: languageModel.file is not the name of a file'],
    [
      'languageModel',
      { file: 'lm.bin', weight: -1 },
      'model.json: languageModel.weight is not a number from 0 to 5',
    ],
    ['name', 7, 'model.json: name is not a text'],
    ['sampleRate', 16000, 'model.json: sampleRate is not an integer from 8000 to 8000'],
    ['frameMs', 70, 'model.json: chunkMs is not a multiple of frameMs'],
    ['blank', 192, 'model.json: blank is not an integer from 0 to 191'],
    ['stateAtGap', 'burn', 'model.json: stateAtGap is none of clear, keep'],
    ['vocabulary', 193, 'tokens.txt: 192 tokens, but model.json says 193'],
    ['stateDim', 15479, 'model.onnx: input 1 "state" (state) has 15480 on axis 1, not 15479'],
  ])('with %s %j is refused, and told why', async (name, value, message) => {
    setting(name, value);
    expect(await refusal()).toBe(`MODEL_INVALID ${message}`);
  });

  test('whose network gives other frames than model.json says is refused', async () => {
    setting('frameMs', 30);
    expect(await refusal()).toMatch(
      /^MODEL_INVALID model\.onnx: output 0 "logprobs" .* has 5 on axis 1, not 10/,
    );
  });

  test('with broken JSON, broken tokens or a broken network is refused by the name of the file', async () => {
    const json = readFileSync(join(folder, 'model.json'));
    writeFileSync(join(folder, 'model.json'), '{"format":');
    expect(await refusal()).toMatch(/^MODEL_INVALID model\.json: /);
    writeFileSync(join(folder, 'model.json'), json);
    const tokens = readFileSync(join(folder, 'tokens.txt'));
    writeFileSync(join(folder, 'tokens.txt'), '<blk> 0\nx\n');
    expect(await refusal()).toMatch(/^MODEL_INVALID tokens\.txt: line 2 /);
    writeFileSync(join(folder, 'tokens.txt'), tokens);
    writeFileSync(join(folder, 'model.onnx'), readFileSync(join(folder, 'model.onnx')).subarray(0, 100_000));
    expect(await refusal()).toMatch(/^MODEL_INVALID model\.onnx: /);
  });

  test('with a language model that is cut off or changed is refused by the name of the file', async () => {
    const path = join(folder, 'lm.bin');
    const bytes = readFileSync(path);
    writeFileSync(path, bytes.subarray(0, 1_000_000));
    expect(await refusal()).toBe(
      `MODEL_INVALID lm.bin: it has 1000000 bytes and should have ${bytes.length}`,
    );
    bytes[bytes.length >> 1]! ^= 1;
    writeFileSync(path, bytes);
    expect(await refusal()).toBe('MODEL_INVALID lm.bin: its checksum is wrong');
  });

  test('without a language model is taken, and decodes by the best tokens', async () => {
    setting('languageModel', null);
    rmSync(join(folder, 'lm.bin'));
    expect(await refusal()).toBe('taken');
    expect(languageModelOf(describeModel(folder))).toBeNull();
  });

  const signal: TinyTensor = { name: 'pcm', type: 'int32', shape: ['N', 2400, 1] };
  const state: TinyTensor = { name: 'memory', type: 'float16', shape: ['N', 15480] };
  const scores: TinyTensor = { name: 'scores', type: 'float32', shape: ['N', 5, 192] };
  const next: TinyTensor = { name: 'memory_next', type: 'float16', shape: ['N', 15480] };
  test.each([
    [[signal], [{ ...signal, name: 'out' }], 'has 1 inputs (pcm), not 2'],
    [
      [{ ...signal, type: 'float32' }, state],
      [{ ...signal, name: 'out', type: 'float32' }, next],
      'input 0 "pcm" (signal) is float32, not int32',
    ],
    [
      [{ ...signal, shape: [1, 2400, 1] }, state],
      [{ ...signal, name: 'out', shape: [1, 2400, 1] }, next],
      'input 0 "pcm" (signal) has a fixed batch of 1; axis 0 must be symbolic',
    ],
    [
      [{ ...signal, shape: ['N', 2400] }, state],
      [{ ...signal, name: 'out', shape: ['N', 2400] }, next],
      'input 0 "pcm" (signal) has 2 dimensions, not 3',
    ],
    [
      [signal, state],
      [{ ...scores, type: 'int32', shape: ['N', 2400, 1] }, next],
      'output 0 "scores" (log-probabilities) is int32, not float32',
    ],
  ] as const)(
    'with a network that has %j and gives %j is refused by the name of the tensor',
    async (inputs, outputs, message) => {
      writeFileSync(
        join(folder, 'model.onnx'),
        tinyNetwork(inputs as readonly TinyTensor[], outputs as readonly TinyTensor[]),
      );
      expect(await refusal()).toBe(`MODEL_INVALID model.onnx: ${message}`);
    },
  );
});
