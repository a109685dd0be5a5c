import type { SpokenWord, WriteOptions, WrittenForm, WrittenFormRules, WrittenSpan } from '../types.ts';
import { caseWords } from './casing.ts';
import { findEntities } from './entities.ts';
import { CONTRACTIONS } from './names.ts';
import { isProfane } from './profanity.ts';
import { type SpokenUnit, punctuate } from './sentences.ts';
import { type Match, Tokens } from './tokens.ts';

const PROFANITY = ['profanity'] as const;
const NO_TAGS = [] as const;

/** English as contact centres speak it: first what is written in digits and signs, then casing, then sentences. */
export const englishRules: WrittenFormRules = {
  language: 'en',
  write,
  tagsOf: (word) => (isProfane(word) ? PROFANITY : NO_TAGS),
};

interface Unit extends SpokenUnit {
  text: string;
  readonly match: Match | null;
}

function write(words: readonly SpokenWord[], { partial, cut = false }: WriteOptions): WrittenForm {
  const said = words.map((word) => word.text);
  const keys = said.map((text) => text.toLowerCase().replaceAll('’', "'"));
  const matches = findEntities(new Tokens(keys, partial));
  const units = unitsOf(said, keys, matches);
  const whole = keys.map((key) => CONTRACTIONS.get(key) ?? key);
  const { starts, marks } = punctuate(whole, units, (index) => pauseAfter(words, index), partial || cut);
  for (const index of starts) {
    const unit = units[index];
    if (unit !== undefined && canOpen(unit)) unit.text = capital(unit.text);
  }
  const signs = new Map(marks.map((mark) => [mark.unit, mark.sign]));
  return assemble(units, signs);
}

function unitsOf(said: readonly string[], keys: readonly string[], matches: readonly Match[]): Unit[] {
  const inSpan = new Uint8Array(said.length);
  for (const match of matches) if (match.kind !== null) inSpan.fill(1, match.from, match.to);
  const cased = caseWords(said, keys, (index) => inSpan[index] === 0);
  const units: Unit[] = [];
  let at = 0;
  const plainUntil = (to: number): void => {
    for (; at < to; at++)
      units.push({ from: at, to: at + 1, isPlain: true, text: cased[at] ?? '', match: null });
  };
  for (const match of matches) {
    if (match.kind === null) continue;
    plainUntil(match.from);
    units.push({ from: match.from, to: match.to, isPlain: false, text: match.text, match });
    at = match.to;
  }
  plainUntil(said.length);
  return units;
}

/** Addresses of machines keep their small letters at the beginning of a sentence too. */
const canOpen = ({ match, text }: Unit): boolean =>
  match?.kind !== 'email' && match?.kind !== 'url' && !text.startsWith('iP');

function capital(text: string): string {
  const [first = ''] = text;
  return first.toUpperCase() + text.slice(first.length);
}

const pauseAfter = (words: readonly SpokenWord[], index: number): number =>
  (words[index + 1]?.startTick ?? 0) - (words[index]?.endTick ?? 0);

function assemble(units: readonly Unit[], signs: ReadonlyMap<number, string>): WrittenForm {
  const spans: WrittenSpan[] = [];
  let text = '';
  units.forEach((unit, index) => {
    if (index > 0) text += ' ';
    const kind = unit.match?.kind;
    if (kind !== null && kind !== undefined)
      spans.push({ fromWord: unit.from, toWord: unit.to, text: unit.text, fromChar: text.length, kind });
    text += unit.text;
    const sign = signs.get(index);
    if (sign !== undefined && !/[.,?!;:]$/u.test(unit.text)) text += sign;
  });
  return { text, spans };
}
