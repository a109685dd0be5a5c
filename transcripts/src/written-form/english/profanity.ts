import { setOf } from './lexicon.ts';

/** Words that are profane in any use, with the endings that they take. Whole words only: "Scunthorpe" has none. */
const PROFANE: ReadonlySet<string> = new Set([
  ...withEndings('fuck', 'er ers ed ing in s wit wits face faces'),
  ...withEndings('motherfuck', 'er ers ing in'),
  ...withEndings('shit', 's ty tier tiest ting ted head heads show shows hole holes'),
  ...withEndings('bullshit', 's ting ted ter'),
  ...withEndings('bitch', 'es ing ed y'),
  ...withEndings('bastard', 's'),
  ...withEndings('ass', 'hole holes hat hats wipe es'),
  ...withEndings('arse', 's hole holes'),
  ...withEndings('dickhead', 's'),
  ...withEndings('cunt', 's'),
  ...withEndings('wank', 'er ers ing ed s'),
  ...withEndings('twat', 's'),
  ...withEndings('bollock', 's ing'),
  ...withEndings('prick', 's'),
  ...withEndings('piss', 'ed ing es er'),
  ...withEndings('crap', 's py'),
  ...withEndings('damn', 'ed it'),
  ...withEndings('goddamn', 'ed it'),
  ...withEndings('cocksuck', 'er ers ing'),
  ...withEndings('douchebag', 's'),
  ...withEndings('jackass', 'es'),
  ...withEndings('dumbass', 'es'),
  ...withEndings('slut', 's ty'),
  ...withEndings('whore', 's'),
  ...withEndings('fag', 's got gots'),
  ...withEndings('nigg', 'er ers a as'),
  ...withEndings('retard', 's'),
  ...withEndings('bugger', 's'),
  ...withEndings('tosser', 's'),
]);
/** Stems that are no word by themselves. */
const STEMS_ONLY = setOf('motherfuck cocksuck nigg');

function withEndings(stem: string, endings: string): string[] {
  return [stem, ...endings.split(' ').map((ending) => stem + ending)];
}

export function isProfane(word: string): boolean {
  const key = word.toLowerCase().replace(/'(?:s|re|ll|d|in)?$/u, '');
  return PROFANE.has(key) && !STEMS_ONLY.has(key);
}
