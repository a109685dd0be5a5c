import type { WordView } from '@earshot/contracts';

/** A token of the written form with the time of the spoken words that it stands for. */
export interface TimedToken {
  readonly text: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly confidence: number;
}

const bare = (text: string): string => text.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '');

/** How far apart the two may drift before they meet again: "one hundred and twenty three" is one token. */
const LOOK_AHEAD = 24;

/**
 * Gives the tokens of the written form ("$42", "Room 12") the times of the words as said. Equal words anchor the two;
 * between anchors the tokens share the span of the words, in proportion to their length.
 */
export function alignWords(text: string, words: readonly WordView[]): TimedToken[] {
  const tokens = text.split(/\s+/u).filter((token) => token !== '');
  if (tokens.length === words.length) {
    return tokens.map((token, index) => ({ ...words[index]!, text: token }));
  }
  const timed: TimedToken[] = [];
  let token = 0;
  let word = 0;
  while (token < tokens.length) {
    const anchor = nextAnchor(tokens, words, token, word);
    const fallbackMs = timed.at(-1)?.endMs ?? words[0]?.startMs ?? 0;
    timed.push(...spread(tokens.slice(token, anchor.token), words.slice(word, anchor.word), fallbackMs));
    if (anchor.token < tokens.length) timed.push({ ...words[anchor.word]!, text: tokens[anchor.token]! });
    token = anchor.token + 1;
    word = anchor.word + 1;
  }
  return timed;
}

/** Where a token and a word are next the same; the ends of both when they are not. */
function nextAnchor(
  tokens: readonly string[],
  words: readonly WordView[],
  token: number,
  word: number,
): { token: number; word: number } {
  for (let ahead = 0; ahead <= 2 * LOOK_AHEAD; ahead++) {
    for (let t = Math.max(0, ahead - LOOK_AHEAD); t <= Math.min(ahead, LOOK_AHEAD); t++) {
      const candidate = tokens[token + t];
      const spoken = words[word + ahead - t];
      if (candidate !== undefined && spoken !== undefined && bare(candidate) === bare(spoken.text)) {
        return { token: token + t, word: word + ahead - t };
      }
    }
  }
  return { token: tokens.length, word: words.length };
}

/** @param fallbackMs where in time tokens lie that no word is left for */
function spread(tokens: readonly string[], words: readonly WordView[], fallbackMs: number): TimedToken[] {
  const startMs = words[0]?.startMs ?? fallbackMs;
  const spanMs = (words.at(-1)?.endMs ?? startMs) - startMs;
  const confidence = Math.min(1, ...words.map((word) => word.confidence));
  const total = tokens.reduce((sum, token) => sum + token.length, 0);
  let before = 0;
  return tokens.map((text) => {
    const from = startMs + (spanMs * before) / total;
    before += text.length;
    return {
      text,
      startMs: Math.round(from),
      endMs: Math.round(startMs + (spanMs * before) / total),
      confidence,
    };
  });
}
