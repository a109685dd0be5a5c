import { crc32 } from 'node:zlib';

/** A small trigram model, by words; every history of an n-gram must be there, too. Natural logarithms. */
export interface SmallNgrams {
  /** Without <unk>, </s> and <s>. */
  readonly words: readonly string[];
  /** Of words in their order, separated by a space: log-probability of the last after the others, and back-off. */
  readonly grams: ReadonlyMap<string, { readonly log: number; readonly backoff: number }>;
}

const STEPS = 16;
const MOST_BACKOFF = 2;
const byteOfLog = (log: number): number => Math.min(255, Math.max(0, Math.round(-log * STEPS)));
const byteOfBackoff = (log: number): number =>
  Math.min(255, Math.max(0, Math.round((MOST_BACKOFF - log) * STEPS)));

/** As the file keeps them. */
export const keptLog = (log: number): number => -byteOfLog(log) / STEPS;
export const keptBackoff = (log: number): number => MOST_BACKOFF - byteOfBackoff(log) / STEPS;

/** A language model's file, written by the description of its layout and not by the program that makes the shipped one. */
export function languageFile({ words, grams }: SmallNgrams): Uint8Array {
  const list = ['<unk>', '</s>', '<s>', ...[...words].sort()];
  const idOf = new Map(list.map((word, id) => [word, id]));
  const byOrder = [1, 2, 3].map((order) =>
    [...grams]
      .map(([gram, values]) => ({ ids: gram.split(' ').map((word) => idOf.get(word)!), ...values }))
      .filter(({ ids }) => ids.length === order)
      .sort((a, b) => {
        const at = a.ids.findIndex((id, i) => id !== b.ids[i]);
        return at < 0 ? 0 : a.ids[at]! - b.ids[at]!;
      }),
  );
  const [unigrams, bigrams, trigrams] = [byOrder[0]!, byOrder[1]!, byOrder[2]!];
  const before = (few: readonly number[], many: typeof bigrams): number =>
    many.filter(({ ids }) =>
      few.some((id, i) => ids[i]! < id && few.slice(0, i).every((x, k) => ids[k] === x)),
    ).length;
  const text = new TextEncoder().encode(list.join('\n'));
  const whole = (values: readonly number[], bytes: 1 | 2 | 4): Uint8Array => {
    const out = new DataView(new ArrayBuffer(values.length * bytes + ((-values.length * bytes) & 3)));
    for (const [i, value] of values.entries()) {
      if (bytes === 1) out.setUint8(i, value);
      else if (bytes === 2) out.setUint16(2 * i, value, true);
      else out.setUint32(4 * i, value, true);
    }
    return new Uint8Array(out.buffer);
  };
  const logs = (of: typeof bigrams): Uint8Array =>
    whole(
      of.map(({ log }) => byteOfLog(log)),
      1,
    );
  const backoffs = (of: typeof bigrams): Uint8Array =>
    whole(
      of.map(({ backoff }) => byteOfBackoff(backoff)),
      1,
    );
  const sections = [
    whole([...text], 1),
    ...[logs(unigrams), backoffs(unigrams)],
    whole([...list.map((_, id) => before([id], bigrams)), bigrams.length], 4),
    whole(
      bigrams.map(({ ids }) => ids[1]!),
      2,
    ),
    ...[logs(bigrams), backoffs(bigrams)],
    whole([...bigrams.map(({ ids }) => before(ids, trigrams)), trigrams.length], 4),
    whole(
      trigrams.map(({ ids }) => ids[2]!),
      2,
    ),
    logs(trigrams),
  ];
  const body = Buffer.concat(sections);
  const header = Buffer.alloc(32);
  header.write('EARSHLM1', 'latin1');
  for (const [i, value] of [
    list.length,
    bigrams.length,
    trigrams.length,
    text.length,
    crc32(body),
  ].entries()) {
    header.writeUInt32LE(value, 8 + 4 * i);
  }
  return Uint8Array.from(Buffer.concat([header, body]));
}

/**
 * Probabilities that sum to one after every history, from weights: what the explicit n-grams leave goes to the back-off.
 * @param pairs @param triples n-grams that are explicit, as words separated by spaces; histories are added
 */
export function smallNgrams(
  words: readonly string[],
  pairs: readonly string[],
  triples: readonly string[],
  weight: (gram: string) => number,
): SmallNgrams {
  const grams = new Map<string, { log: number; backoff: number }>();
  const all = ['<unk>', '</s>', ...words];
  const total = all.reduce((sum, word) => sum + weight(word), 0);
  for (const word of all) grams.set(word, { log: keptLog(Math.log(weight(word) / total)), backoff: 0 });
  grams.set('<s>', { log: keptLog(-99), backoff: 0 });
  const historyOf = (gram: string): string => gram.slice(0, gram.lastIndexOf(' '));
  const levels = [new Set([...pairs, ...triples.map(historyOf)]), new Set(triples)];
  for (const level of levels) {
    const histories = new Set([...level].map(historyOf));
    for (const history of histories) {
      const own = [...level].filter((gram) => historyOf(gram) === history);
      const sum = own.reduce((s, gram) => s + weight(gram), 0);
      const others = all.filter((word) => !own.includes(`${history} ${word}`));
      // Two thirds of the probability are explicit.
      const explicit = others.length === 0 ? 1 : 2 / 3;
      let left = 1;
      for (const gram of own) {
        const log = keptLog(Math.log(explicit * (weight(gram) / sum)));
        left -= Math.exp(log);
        grams.set(gram, { log, backoff: 0 });
      }
      const shorter = history.split(' ').slice(1);
      const free = others.reduce((s, word) => s + Math.exp(slowLog(grams, [...shorter, word])), 0);
      const backoff = others.length === 0 ? 0 : keptBackoff(Math.log(left / free));
      grams.set(history, { ...grams.get(history)!, backoff });
    }
  }
  return { words, grams };
}

/** Log-probability of the last word after the others, by the definition of back-off. */
export function slowLog(grams: SmallNgrams['grams'], gram: readonly string[]): number {
  const found = grams.get(gram.join(' '));
  if (found !== undefined || gram.length === 1) return found?.log ?? grams.get('<unk>')!.log;
  const history = grams.get(gram.slice(0, -1).join(' '));
  return (history?.backoff ?? 0) + slowLog(grams, gram.slice(1));
}
