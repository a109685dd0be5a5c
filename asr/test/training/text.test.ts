import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const PYTHON = '/usr/bin/python3';
const TRAINING = fileURLToPath(new URL('../../training', import.meta.url));
const DICTIONARY = '/usr/share/festival/dicts/cmu/cmudict-0.4.out';
const present =
  existsSync(PYTHON) && existsSync(DICTIONARY) && spawnSync(PYTHON, ['-c', 'import numpy']).status === 0;

/** Holds out what the templates say under one seed, and prints which of it is said under others. */
const PROGRAM = `
import json
from earshot_training import lm
from earshot_training.text import TextSource

source = TextSource(5)
held_out = {source.call_line() for _ in range(2000)}
lm.held_out_lines = lambda: list(held_out)
drawn = []
call_line = TextSource.call_line
def noted(self):
    drawn.append(call_line(self))
    return drawn[-1]
TextSource.call_line = noted
free = TextSource(6)
of_all = sum(noted(free) in held_out for _ in range(2000))
drawn.clear()
lines = lm.call_lines(2000)
held = TextSource(7, frozenset(held_out))
said = [held.line() for _ in range(2000)]
print(json.dumps({"ofAll": of_all, "drawn": len(drawn), "lines": len(lines), "heldOut": sum(line in held_out for line in drawn)}))
`;

describe.runIf(present)('the text that a model is made of', { timeout: 120_000 }, () => {
  it('has no line that models are judged by, alone, behind another one, or with fillers', () => {
    const { stdout, stderr } = spawnSync(PYTHON, ['-c', PROGRAM], { cwd: TRAINING, encoding: 'utf8' });
    expect(stderr).toBe('');
    const { ofAll, drawn, lines, heldOut } = JSON.parse(stdout) as Record<string, number>;
    expect(ofAll).toBeGreaterThan(20);
    // Some utterances are two lines.
    expect(drawn).toBeGreaterThan(2500);
    expect([lines, heldOut]).toEqual([2000, 0]);
  });
});
