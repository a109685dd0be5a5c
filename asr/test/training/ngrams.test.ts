import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { type Ngrams, SENTENCE_START, readNgrams } from '../../src/decode/ngram-file.ts';

const PYTHON = '/usr/bin/python3';
const TRAINING = fileURLToPath(new URL('../../training', import.meta.url));
const SPHINX = '/usr/share/pocketsphinx/model/en-us/en-us.lm.bin';
const present = existsSync(PYTHON) && spawnSync(PYTHON, ['-c', 'import numpy']).status === 0;

const SENTENCES = [
  'i want to pay my bill',
  'i want to cancel',
  'my bill is wrong',
  'to pay or to cancel',
  'i pay my bill',
  'is my bill wrong',
];
const OTHERS = ['i want my money', 'my money is my money', 'pay the bill'];

/** Witten and Bell's estimate by its definition: `c(hw) + kinds(h) · P(w | shorter h)`, over `c(h) + kinds(h)`. */
function wittenBell(
  sentences: readonly string[],
  words: readonly string[],
): (gram: readonly string[]) => number {
  const said = sentences.map((sentence) => ['<s>', ...sentence.split(' '), '</s>']);
  const estimate = (gram: readonly string[]): number => {
    const history = gram.slice(0, -1);
    let count = 0;
    const after = new Map<string, number>();
    for (const sentence of said) {
      for (let i = history.length; i < sentence.length; i++) {
        if (sentence[i] === '<s>' || history.some((word, k) => sentence[i - history.length + k] !== word))
          continue;
        after.set(sentence[i]!, (after.get(sentence[i]!) ?? 0) + 1);
        count++;
      }
    }
    const shorter = gram.length === 1 ? 1 / words.length : estimate(gram.slice(1));
    if (count === 0) return shorter;
    return ((after.get(gram.at(-1)!) ?? 0) + after.size * shorter) / (count + after.size);
  };
  return estimate;
}

function after(ngrams: Ngrams, history: readonly string[]): Map<string, number> {
  let at = SENTENCE_START;
  for (const word of history) {
    ngrams.logOf(at, ngrams.words.indexOf(word));
    at = ngrams.next;
  }
  return new Map(
    ngrams.words
      .filter((word) => word !== '<s>')
      .map((word) => [word, ngrams.logOf(at, ngrams.words.indexOf(word))]),
  );
}

describe.skipIf(!present)('the language model’s builder (needs python3-numpy)', () => {
  const work = mkdtempSync(join(tmpdir(), 'es-lm-'));
  afterAll(() => rmSync(work, { recursive: true, force: true }));

  /** Runs Python that makes `model`, and reads the file that is written of it. */
  const built = (program: string, data: unknown): Ngrams => {
    const file = join(work, 'lm.bin');
    const lines = [
      'import json, sys',
      'from pathlib import Path',
      'from earshot_training.ngrams import *',
      'from earshot_training.lm_file import write_language_model',
      'data = json.load(sys.stdin)',
      program,
      `write_language_model(model, Path(${JSON.stringify(file)}))`,
    ];
    const result = spawnSync(PYTHON, ['-B', '-c', lines.join('\n')], {
      encoding: 'utf8',
      input: JSON.stringify(data),
      env: { ...process.env, PYTHONPATH: TRAINING },
      timeout: 100_000,
    });
    expect(result.status, result.stderr).toBe(0);
    const read = readNgrams(readFileSync(file));
    if (!read.ok) throw new Error(read.fault);
    return read.ngrams;
  };
  const histories = (sentences: readonly string[]): string[][] => [
    [],
    ...sentences.flatMap((sentence) => {
      const words = sentence.split(' ');
      return words.map((_, i) => words.slice(0, i + 1));
    }),
  ];
  const LIST = "vocabulary({word for line in data for word in line.split()} | {'other'})";

  it('counts as Witten and Bell do', { timeout: 200_000 }, () => {
    const ngrams = built(`model = counted(${LIST}, data)`, SENTENCES);
    // <s> never comes, but has its share of what is spread over all words.
    const expected = wittenBell(SENTENCES, ngrams.words);
    for (const history of histories(SENTENCES)) {
      for (const [word, log] of after(ngrams, history)) {
        const gram = [...['<s>', ...history].slice(-2), word];
        // Rounded; and what the others of a history lost by it is shared out.
        const right = expected(gram);
        expect(Math.abs(Math.exp(log) - right), gram.join(' ')).toBeLessThan(0.02 + 0.1 * right);
      }
    }
  });

  it('mixes and prunes, and what comes after every history still sums to one', { timeout: 200_000 }, () => {
    const data = [...SENTENCES, ...OTHERS];
    const both = [
      `words = ${LIST}`,
      'model = mixed(counted(words, data[:6]), counted(words, data[6:]), 0.7)',
    ];
    const whole = built(both.join('\n'), data);
    const less = built([...both, 'model = model.pruned(3, 6).pruned(2, 12)'].join('\n'), data);
    for (const ngrams of [whole, less]) {
      for (const history of histories(data)) {
        const sum = [...after(ngrams, history).values()].reduce((total, log) => total + Math.exp(log), 0);
        expect(Math.abs(Math.log(sum)), history.join(' ')).toBeLessThan(0.1);
      }
    }
    const parts = [wittenBell(SENTENCES, whole.words), wittenBell(OTHERS, whole.words)];
    for (const [word, log] of after(whole, ['my'])) {
      const gram = ['<s>', 'my', word];
      expect(log).toBeCloseTo(Math.log(0.7 * parts[0]!(gram) + 0.3 * parts[1]!(gram)), 0);
    }
  });

  it.skipIf(!existsSync(SPHINX))(
    'reads CMU Sphinx’s English: what people say is likelier than what they do not',
    { timeout: 200_000 },
    () => {
      const program = [
        'from earshot_training.sphinx_lm import SphinxModel',
        `sphinx = SphinxModel(Path(${JSON.stringify(SPHINX)}))`,
        'model = sphinx.of(vocabulary(set(sphinx.common_words(20000))))',
      ];
      const ngrams = built(program.join('\n'), null);
      const best = (history: string[]): string =>
        [...after(ngrams, history)].reduce((a, b) => (b[1] > a[1] ? b : a))[0];
      expect(best(['thank'])).toBe('you');
      expect(best(['i', 'would'])).toMatch(/^(like|have|say)$/);
      for (const history of [['thank'], ['i', 'would'], ['as', 'well'], ['the']]) {
        const sum = [...after(ngrams, history).values()].reduce((total, log) => total + Math.exp(log), 0);
        expect(Math.abs(Math.log(sum)), history.join(' ')).toBeLessThan(0.1);
      }
    },
  );
});
