import { readdirSync, readFileSync } from 'node:fs';

export const parties = ['agent', 'customer'] as const;
export type Party = (typeof parties)[number];

/** Something one party says without being interrupted; times are from the start of the dialogue. */
export interface Turn {
  startMs: number;
  endMs: number;
  /** Lower-case words, numbers spelled out, no punctuation: as a recogniser prints them. */
  text: string;
}

/** One of the two who speak, as `voices/NAME.json` has it. */
export interface Speaker {
  voice: string;
  /** As it is displayed. */
  name: string;
  /** User part of the address of record: an agent's name or a caller's number. */
  user: string;
  turns: Turn[];
}

export interface Dialogue {
  name: string;
  durationMs: number;
  parties: Record<Party, Speaker & { mulaw: Uint8Array }>;
}

interface DescribedDialogue {
  name: string;
  durationMs: number;
  parties: Record<Party, Speaker>;
}

const voices = new URL('../voices/', import.meta.url);

/** The dialogues that are there, in alphabetical order. */
export function dialogueNames(): string[] {
  return readdirSync(voices)
    .filter((file) => file.endsWith('.json'))
    .map((file) => file.slice(0, -'.json'.length))
    .sort();
}

/** A dialogue with both parties' audio (mu-law, 8000 Hz, of one length). */
export function loadDialogue(name: string): Dialogue {
  const described = JSON.parse(readFileSync(new URL(`${name}.json`, voices), 'utf8')) as DescribedDialogue;
  const party = (which: Party) => ({
    ...described.parties[which],
    mulaw: new Uint8Array(readFileSync(new URL(`${name}.${which}.ul`, voices))),
  });
  return { ...described, parties: { agent: party('agent'), customer: party('customer') } };
}

/** Every dialogue, loaded once. */
export function loadDialogues(): Dialogue[] {
  return dialogueNames().map(loadDialogue);
}
