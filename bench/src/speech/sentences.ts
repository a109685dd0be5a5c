import { readFileSync } from 'node:fs';
import { loadDialogues, parties } from '../../../sip-tests/src/dialogue.ts';

const HELD_OUT = new URL('../../../asr/training/earshot_training/held_out.txt', import.meta.url);

/** Sentences that no model of ours was trained on. */
export function heldOutSentences(): string[] {
  return readFileSync(HELD_OUT, 'utf8')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
}

/** What is said in sip-tests' dialogues. */
export function dialogueSentences(): string[] {
  return loadDialogues().flatMap((dialogue) =>
    parties.flatMap((party) => dialogue.parties[party].turns.map(({ text }) => text)),
  );
}
