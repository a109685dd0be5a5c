/** Folders as published, each with one fault: refused at start, with the tensor, key or file that is at fault. */
import { EarshotError } from '@earshot/contracts';
import { cpSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { describeModel, loadModel } from '../../src/models/folder.ts';
import {
  nemoCtcFolder,
  nemoTransducerFolder,
  tOneFolder,
  zipformer2CtcFolder,
  zipformerTransducerFolder,
} from '../support/generated/models.ts';

const MADE = {
  'T-one': (folder: string) => tOneFolder(folder, 1),
  'Zipformer2 CTC': (folder: string) => zipformer2CtcFolder(folder, 1),
  'Zipformer2 transducer': (folder: string) => zipformerTransducerFolder(folder, 1),
  'Zipformer transducer': (folder: string) => zipformerTransducerFolder(folder, 1, 1),
  'NeMo CTC': (folder: string) => nemoCtcFolder(folder, 1),
  'NeMo transducer': (folder: string) => nemoTransducerFolder(folder, 1, true),
} as const;
type Family = keyof typeof MADE;
const FAMILIES = Object.keys(MADE) as Family[];

const SUFFIX = '-epoch-99-avg-1-chunk-16-left-128.onnx';
const CTC = 'ctc-epoch-20-avg-1-chunk-16-left-128.onnx';

let root: string;
let folder: string;
let copies = 0;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'es-broken-'));
  for (const family of FAMILIES) MADE[family](join(root, family));
});
afterAll(() => rmSync(root, { recursive: true }));
beforeEach(() => void (folder = join(root, `copy-${copies++}`)));

const copy = (family: Family): void => cpSync(join(root, family), folder, { recursive: true });

/** Overwrites bytes of a file with others of the same length; a protobuf stays whole. */
function replace(file: string, from: string | Buffer, to: string | Buffer): void {
  const path = join(folder, file);
  const bytes = readFileSync(path);
  const at = bytes.indexOf(from);
  expect(at).toBeGreaterThan(0);
  expect(Buffer.from(to)).toHaveLength(Buffer.from(from).length);
  bytes.set(Buffer.from(to), at);
  writeFileSync(path, bytes);
}

async function refusal(): Promise<string> {
  try {
    await loadModel(describeModel(folder), 2, [1, 2]);
    return 'taken';
  } catch (error) {
    expect(error).toBeInstanceOf(EarshotError);
    return `${(error as EarshotError).code} ${(error as EarshotError).message}`;
  }
}

test.each(FAMILIES)('a %s folder as published is taken', async (family) => {
  copy(family);
  expect(await refusal()).toBe('taken');
});

describe('a published folder is refused by name', () => {
  test.each([
    ['NeMo CTC', 'tokens.txt', /^MODEL_MISSING tokens\.txt is not in/],
    ['Zipformer2 transducer', `decoder${SUFFIX}`, /^MODEL_MISSING decoder\.onnx is not in/],
    ['Zipformer2 transducer', `joiner${SUFFIX}`, /^MODEL_MISSING joiner\.onnx is not in/],
    ['NeMo transducer', 'encoder.onnx', /^MODEL_MISSING model\.onnx is not in/],
    ['Zipformer2 CTC', CTC, /^MODEL_MISSING model\.json is not in/],
  ] as const)('of a %s without %s', async (family, file, message) => {
    copy(family);
    rmSync(join(folder, file));
    expect(await refusal()).toMatch(message);
  });

  test.each([
    ['T-one', 'model.onnx'],
    ['Zipformer2 CTC', CTC],
    ['Zipformer2 transducer', `encoder${SUFFIX}`],
    ['Zipformer2 transducer', `decoder${SUFFIX}`],
    ['Zipformer2 transducer', `joiner${SUFFIX}`],
    ['NeMo transducer', 'encoder.onnx'],
  ] as const)('of a %s whose %s breaks off', async (family, file) => {
    copy(family);
    const path = join(folder, file);
    const bytes = readFileSync(path);
    writeFileSync(path, bytes.subarray(0, Math.floor(bytes.length / 2)));
    expect(await refusal()).toMatch(
      new RegExp(`^MODEL_INVALID ${file.replaceAll('.', '\\.')}: it breaks off`),
    );
  });

  test.each([
    ['Zipformer2 CTC', CTC, 'left_context_len', 'has no metadata left_context_len'],
    ['Zipformer2 CTC', CTC, 'decode_chunk_len', 'has no metadata decode_chunk_len'],
    ['Zipformer2 transducer', `encoder${SUFFIX}`, 'num_heads', 'has no metadata num_heads'],
    ['Zipformer2 transducer', `decoder${SUFFIX}`, 'context_size', 'has no metadata context_size'],
    ['Zipformer2 transducer', `joiner${SUFFIX}`, 'joiner_dim', 'has no metadata joiner_dim'],
    ['Zipformer transducer', `encoder${SUFFIX}`, 'attention_dims', 'has no metadata attention_dims'],
    ['NeMo CTC', 'model.onnx', 'window_size', 'has no metadata window_size'],
    ['NeMo CTC', 'model.onnx', 'vocab_size', 'has no metadata vocab_size'],
    ['NeMo transducer', 'encoder.onnx', 'pred_hidden', 'has no metadata pred_hidden'],
    ['T-one', 'model.onnx', 'state_dim', 'has no metadata state_dim'],
    [
      'Zipformer2 CTC',
      CTC,
      'model_type',
      'its metadata is that of no streaming model known here (no model_type), and no model.json says the format',
    ],
  ] as const)('of a %s whose %s lacks the metadata %s', async (family, file, key, message) => {
    copy(family);
    replace(file, key, 'x'.repeat(key.length));
    expect(await refusal()).toBe(`MODEL_INVALID ${file}: ${message}`);
  });

  test.each([
    ['NeMo CTC', 'model.onnx', '\x02NA', '\x02XY', /model\.onnx: wants features normalised by "XY"/],
    [
      'Zipformer2 transducer',
      `encoder${SUFFIX}`,
      'cnn_module_kernels\x12\x037,5',
      'cnn_module_kernels\x12\x037-5',
      /metadata cnn_module_kernels is "7-5", not an integer from 1 to 512/,
    ],
    [
      'Zipformer2 transducer',
      `encoder${SUFFIX}`,
      'encoder_dims\x12\x048,12',
      'encoder_dims\x12\x048112',
      /metadata encoder_dims has 1 values, not 2/,
    ],
    [
      'Zipformer2 transducer',
      `encoder${SUFFIX}`,
      'left_context_len\x12\x038,4',
      'left_context_len\x12\x038,5',
      /input \d+ "cached_key_2" \(cached_key_2\) has 4 on axis 0, not 5/,
    ],
    [
      'Zipformer2 CTC',
      CTC,
      'decode_chunk_len\x12\x0232',
      'decode_chunk_len\x12\x0216',
      /output 0 "log_probs" \(log-probabilities\) has 8 on axis 1, not 4/,
    ],
    [
      'NeMo CTC',
      'model.onnx',
      'cache_last_time_dim3\x12\x013',
      'cache_last_time_dim3\x12\x014',
      /input 3 "cache_last_time" \(cache_last_time\) has 3 on axis 3, not 4/,
    ],
    [
      'NeMo transducer',
      'encoder.onnx',
      'pred_hidden\x12\x018',
      'pred_hidden\x12\x019',
      /decoder\.onnx: input 2 "states\.1" \(hidden state\) has 8 on axis 2, not 9/,
    ],
    [
      'NeMo transducer',
      'encoder.onnx',
      'chunk_shift\x12\x0216',
      'chunk_shift\x12\x0217',
      /metadata chunk_shift is 17, not a multiple of subsampling_factor, 8/,
    ],
    [
      'Zipformer2 transducer',
      `joiner${SUFFIX}`,
      'joiner_dim\x12\x0210',
      'joiner_dim\x12\x0211',
      /encoder.*: output 0 "encoder_out" \(encoder_out\) has 10 on axis 2, not 11/,
    ],
  ] as const)('of a %s whose %s says something else', async (family, file, from, to, message) => {
    copy(family);
    replace(file, from, to);
    expect(await refusal()).toMatch(message);
    expect(await refusal()).toMatch(/^MODEL_INVALID /);
  });

  test.each([
    ['Zipformer2 CTC', /tokens\.txt: 39 tokens, but ctc.*\.onnx says 40/],
    ['Zipformer2 transducer', /tokens\.txt: 39 tokens, but decoder.*\.onnx's metadata vocab_size says 40/],
    ['NeMo CTC', /tokens\.txt: 29 tokens, but model\.onnx's metadata vocab_size, with the blank, says 30/],
    [
      'NeMo transducer',
      /tokens\.txt: 29 tokens, but encoder\.onnx's metadata vocab_size, with the blank, says 30/,
    ],
    ['T-one', /output 0 "logprobs" \(log-probabilities\) has 35 on axis 2, not 34/],
  ] as const)('of a %s with a token too few', async (family, message) => {
    copy(family);
    const path = join(folder, 'tokens.txt');
    const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
    // The one before the last goes: a blank at the end stays the last.
    const last = lines.at(-1)!.replace(/\d+$/, String(lines.length - 2));
    writeFileSync(path, [...lines.slice(0, -2), last, ''].join('\n'));
    expect(await refusal()).toMatch(message);
  });

  test('of a network that is of another kind', async () => {
    copy('Zipformer2 CTC');
    replace(CTC, 'zipformer2', 'wav2letter');
    expect(await refusal()).toBe(
      `MODEL_INVALID ${CTC}: model_type "wav2letter" is no streaming model known here`,
    );
  });

  test('of features that no loader makes', async () => {
    zipformer2CtcFolder(folder, 1, { feature: 'whisper' });
    expect(await refusal()).toMatch(/ctc.*: wants Whisper features \(metadata feature\)/);
  });
});

describe('which of several files is meant', () => {
  beforeEach(() => copy('Zipformer2 transducer'));
  const file = (role: string, kind = ''): string => `${role}${SUFFIX.replace('.onnx', `${kind}.onnx`)}`;
  const duplicate = (role: string, to: string): void => cpSync(join(folder, file(role)), join(folder, to));

  test('is fp32, unless model.json asks for int8; a part without int8 is taken as it is', () => {
    duplicate('encoder', file('encoder', '.int8'));
    duplicate('joiner', file('joiner', '.int8'));
    expect(describeModel(folder).files).toEqual({
      encoder: file('encoder'),
      decoder: file('decoder'),
      joiner: file('joiner'),
    });
    writeFileSync(join(folder, 'model.json'), '{"precision":"int8","name":"small"}');
    expect(describeModel(folder).files).toEqual({
      encoder: file('encoder', '.int8'),
      decoder: file('decoder'),
      joiner: file('joiner', '.int8'),
    });
    expect(describeModel(folder).name).toBe('small');
  });

  test('is int8 where there is nothing else', () => {
    for (const role of ['encoder', 'decoder', 'joiner']) {
      renameSync(join(folder, file(role)), join(folder, file(role, '.int8')));
    }
    expect(describeModel(folder).files['encoder']).toBe(file('encoder', '.int8'));
  });

  test('must be said when there are two of a kind', async () => {
    duplicate('encoder', 'encoder-chunk-32.onnx');
    expect(await refusal()).toBe(
      `MODEL_INVALID the folder has several files for "encoder" (encoder-chunk-32.onnx, ${file('encoder')}): ` +
        'name one of them in model.json',
    );
    writeFileSync(join(folder, 'model.json'), '{"encoder":"encoder-chunk-32.onnx"}');
    expect(await refusal()).toBe('taken');
  });

  test('cannot be a file outside of the folder', async () => {
    writeFileSync(join(folder, 'model.json'), '{"encoder":"../Zipformer2 transducer/encoder.onnx"}');
    expect(await refusal()).toMatch(/^MODEL_MISSING \.\.\/Zipformer2 transducer\/encoder\.onnx is not in/);
  });
});

test('model.json says what is to be otherwise', () => {
  copy('Zipformer2 CTC');
  writeFileSync(
    join(folder, 'model.json'),
    JSON.stringify({ flushMs: 800, wordLeadMs: 200, frameDelayMs: 100, stateAtGap: 'clear' }),
  );
  const { timing, clearAtGap } = describeModel(folder);
  expect(timing).toMatchObject({
    chunkSamples: 2560,
    frameSamples: 320,
    flushSamples: 6400,
    wordLeadSamples: 1600,
    frameDelaySamples: 800,
  });
  expect(clearAtGap).toBe(true);
});
