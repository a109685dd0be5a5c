import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { Gated } from '../../src/batch/gated.ts';
import { recognise, type BatchSegment } from '../../src/batch/recognise.ts';
import { WavFile } from '../../src/batch/wav-file.ts';
import { describeModel } from '../../src/models/folder.ts';
import { channelNamed, type Rig, SHIPPED_MODEL, startRig } from '../support/rig.ts';
import { canSpeak, concatenate, silence, speak, TAPE_SENTENCES } from '../support/speech.ts';
import { wavOf } from '../support/wav.ts';
import { wordErrors } from '../support/word-errors.ts';

// Each case is a process that starts.
vi.setConfig({ testTimeout: 120_000 });
const folder = mkdtempSync(join(tmpdir(), 'es-batch-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = (name: string, content: string | Uint8Array): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};

interface Outcome {
  readonly status: number | null;
  readonly out: { model: string; audioSeconds: number; segments: BatchSegment[] } | null;
  readonly error: { code: string; message: string } | null;
}

function transcribe(args: readonly string[], input?: string): Outcome {
  const script = join(import.meta.dirname, '../../transcribe.ts');
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], {
    encoding: 'utf8',
    ...(input === undefined ? {} : { input }),
  });
  const lastLine = stderr.trim().split('\n').at(-1) ?? '';
  return {
    status,
    out: status === 0 ? (JSON.parse(stdout) as Outcome['out']) : null,
    error: status === 0 ? null : (JSON.parse(lastLine) as Outcome['error']),
  };
}

const wordsOf = (segments: readonly BatchSegment[], channel: number): string[] =>
  segments
    .filter((segment) => segment.channel === channel)
    .flatMap(({ words }) => words.map(({ text }) => text));

test('what is wrong with the input is said on stderr, with exit code 2', () => {
  const wav = file('silence.wav', wavOf([silence(100)]));
  const fault = (...args: string[]): unknown[] => {
    const { status, error } = transcribe(args);
    return [status, error?.code];
  };
  expect(fault(join(folder, 'none.wav'))).toEqual([2, 'RECORDING_MISSING']);
  expect(fault(file('text.wav', 'hello'))).toEqual([2, 'RECORDING_MISSING']);
  expect(fault(file('cut-off.opus', 'OggS'))).toEqual([2, 'RECORDING_MISSING']);
  expect(fault('--model', folder, wav)).toEqual([2, 'MODEL_MISSING']);
  expect(fault('--vocabulary', file('list.json', '[{"boost": 1}]'), wav)).toEqual([2, 'REQUEST_INVALID']);
  expect(fault()).toEqual([2, 'REQUEST_INVALID']);
});

describe.skipIf(!canSpeak)('a recording (needs flite)', () => {
  let rig: Rig;
  let left: Int16Array;
  let right: Int16Array;
  beforeAll(async () => {
    rig = await startRig();
    const [a = '', b = '', c = ''] = TAPE_SENTENCES;
    left = concatenate(silence(1500), speak('slt', a), silence(6000), speak('slt', c));
    const said = speak('kal', b);
    right = concatenate(silence(5137), said, silence(Math.max(0, left.length - said.length - 5137 * 8) / 8));
    const length = Math.max(left.length, right.length);
    left = concatenate(left, new Int16Array(length - left.length));
    right = concatenate(right, new Int16Array(length - right.length));
  });
  afterAll(() => rig.stop());

  test('is recognised by its channels, each word at its time', () => {
    const { status, out } = transcribe(['--vocabulary', '-', file('call.wav', wavOf([left, right]))], '[]');
    expect(status).toBe(0);
    expect(out!.audioSeconds).toBeCloseTo((2 * left.length) / 8000);
    const [a = '', b = '', c = ''] = TAPE_SENTENCES;
    const heard = [wordsOf(out!.segments, 0), wordsOf(out!.segments, 1)];
    const reference = [`${a} ${c}`.split(' '), b.split(' ')];
    const errors = reference.reduce((sum, words, i) => sum + wordErrors(words, heard[i]!), 0);
    expect(errors / reference.flat().length).toBeLessThan(0.3);
    for (const { channel, words } of out!.segments) {
      const first = words[0]!.startTick / 8;
      expect(first).toBeGreaterThan(channel === 0 ? 1000 : 4800);
    }
  });

  test('gives the words that the live engine gives for the same audio', async () => {
    const wav = await WavFile.open(file('live.wav', wavOf([left, right])));
    const segments = await recognise(wav, describeModel(SHIPPED_MODEL), []);
    await wav.close();
    for (const [index, samples] of [left, right].entries()) {
      const channel = channelNamed(`live-${index}`);
      rig.media.open(channel);
      for (const piece of new Gated().push(samples, true)) {
        if (piece.kind === 'audio') await rig.media.audio(channel, piece.from, piece.samples.slice());
        else rig.media.send({ type: 'gap', channel, attempt: 1, toTick: piece.to });
      }
      rig.media.send({ type: 'end', channel, attempt: 1, tick: samples.length });
      await rig.words.ended(channel);
      expect(wordsOf(segments, index)).toEqual(rig.words.finalWords(channel).map(({ text }) => text));
    }
  });
});
