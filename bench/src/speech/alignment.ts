export interface Phone {
  readonly name: string;
  readonly startMs: number;
  readonly endMs: number;
}

export interface SpokenWord {
  readonly text: string;
  readonly startMs: number;
  readonly endMs: number;
}

const PAUSE = 'pau';
/** Another phone than the word has by itself (a reduced vowel) is dearer than one that came in or fell away alone. */
const SUBSTITUTION = 1.5;

/** What `flite -psdur` prints: `pau:0.224 m:0.252 …`, phones with their ends in seconds. Pauses are left out. */
export function readPhones(printed: string): Phone[] {
  let startMs = 0;
  const phones: Phone[] = [];
  for (const [, name = '', seconds] of printed.matchAll(/(\S+):(\d+(?:\.\d+)?)/gu)) {
    const endMs = 1000 * Number(seconds);
    if (name !== PAUSE) phones.push({ name, startMs, endMs });
    startMs = endMs;
  }
  return phones;
}

/**
 * When each word of a sentence is spoken: the sentence's phones are shared out among its words, in order, so that they
 * differ least from how the words sound by themselves.
 * @param words with their phones by themselves @returns null when a word is left without a phone
 */
export function alignWords(
  words: readonly { readonly text: string; readonly phones: readonly string[] }[],
  heard: readonly Phone[],
): SpokenWord[] | null {
  const wanted = words.flatMap(({ phones }, word) => phones.map((name) => ({ name, word })));
  const spans = new Map<number, { startMs: number; endMs: number }>();
  for (const [at, phone] of owners(wanted, heard).entries()) {
    const word = wanted[phone]?.word;
    if (word === undefined) continue;
    const span = spans.get(word);
    const { startMs, endMs } = heard[at]!;
    if (span === undefined) spans.set(word, { startMs, endMs });
    else span.endMs = endMs;
  }
  if (spans.size < words.length) return null;
  return words.map(({ text }, word) => ({ text, ...spans.get(word)! }));
}

/** For each phone heard the wanted one that it is, or that it came in after. */
function owners(wanted: readonly { readonly name: string }[], heard: readonly Phone[]): number[] {
  const width = heard.length + 1;
  const costs = new Float64Array((wanted.length + 1) * width);
  const same = (i: number, j: number): number =>
    wanted[i - 1]!.name === heard[j - 1]!.name ? 0 : SUBSTITUTION;
  for (let i = 0; i <= wanted.length; i++) {
    for (let j = 0; j <= heard.length; j++) {
      const at = i * width + j;
      if (i === 0 || j === 0) costs[at] = i + j;
      else
        costs[at] = Math.min(costs[at - width - 1]! + same(i, j), costs[at - width]! + 1, costs[at - 1]! + 1);
    }
  }
  const result = new Array<number>(heard.length);
  let i = wanted.length;
  for (let j = heard.length; j > 0;) {
    const at = i * width + j;
    if (i > 0 && costs[at] === costs[at - width - 1]! + same(i, j)) {
      result[--j] = --i;
    } else if (i > 0 && costs[at] === costs[at - width]! + 1) i--;
    else result[--j] = Math.max(0, i - 1);
  }
  return result;
}
