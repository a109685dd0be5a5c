import { expect, it } from 'vitest';
import { decodeMulaw } from '../src/audio.ts';
import { type Dialogue, loadDialogues, parties, type Party } from '../src/dialogue.ts';
import { words } from '../src/wer.ts';

const dialogues = loadDialogues();

/** The loudest 16-bit sample of a party between two times. */
function peak(dialogue: Dialogue, party: Party, startMs: number, endMs: number): number {
  return decodeMulaw(dialogue.parties[party].mulaw.subarray(startMs * 8, endMs * 8)).reduce(
    (most, sample) => Math.max(most, Math.abs(sample)),
    0,
  );
}

it('there are six dialogues, under 4 MB together', () => {
  expect(dialogues.map(({ name }) => name)).toHaveLength(6);
  const bytes = dialogues.flatMap((dialogue) => parties.map((party) => dialogue.parties[party].mulaw.length));
  expect(bytes.reduce((sum, length) => sum + length, 0)).toBeLessThan(4_000_000);
});

it.each(dialogues)(
  '$name: both parties have one length, in whole packets, that the description gives',
  (dialogue) => {
    for (const party of parties) expect(dialogue.parties[party].mulaw.length).toBe(dialogue.durationMs * 8);
    expect(dialogue.durationMs % 20).toBe(0);
    expect(dialogue.durationMs).toBeGreaterThan(25_000);
    expect(dialogue.durationMs).toBeLessThan(40_000);
  },
);

it.each(dialogues)(
  '$name: each turn is heard from its party alone, and then it is quiet for a moment',
  (dialogue) => {
    const turns = parties
      .flatMap((party) => dialogue.parties[party].turns.map((turn) => ({ ...turn, party })))
      .sort((a, b) => a.startMs - b.startMs);
    expect(turns.length).toBeGreaterThanOrEqual(7);
    for (const [i, turn] of turns.entries()) {
      const other = turn.party === 'agent' ? 'customer' : 'agent';
      expect(peak(dialogue, turn.party, turn.startMs, turn.endMs)).toBeGreaterThan(8000);
      expect(peak(dialogue, other, turn.startMs, turn.endMs)).toBeLessThan(20);
      const gapEndMs = turns[i + 1]?.startMs ?? dialogue.durationMs;
      expect(gapEndMs - turn.endMs).toBeGreaterThanOrEqual(299);
      for (const party of parties)
        expect(peak(dialogue, party, turn.endMs + 1, gapEndMs - 1)).toBeLessThan(20);
    }
  },
);

it.each(dialogues)('$name: the text is written as a recogniser prints it', (dialogue) => {
  for (const party of parties) {
    for (const { text } of dialogue.parties[party].turns) expect(words(text).join(' ')).toBe(text);
  }
});
