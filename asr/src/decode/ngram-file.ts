import { crc32 } from 'node:zlib';

/** The first bytes of the file (asr/training/earshot_training/lm_file.py writes it). */
const MAGIC = 'EARSHLM1';
const HEADER_BYTES = 32;
/** A log-probability is -byte / 16, a back-off's logarithm 2 - byte / 16. */
const STEPS = 16;
const MOST_BACKOFF = 2;
/** Word ids are of 16 bits, and the last one means that a place of the lexicon ends no word. */
const MOST_WORDS = 65_534;

/** Ids that every list of words begins with: what is in no list, and a sentence's beginning. */
export const UNKNOWN_WORD = 0;
export const SENTENCE_START = 2;
const SPECIAL = ['<unk>', '</s>', '<s>'];

export type NgramsRead =
  { readonly ok: true; readonly ngrams: Ngrams } | { readonly ok: false; readonly fault: string };

/**
 * Reads a language model's file: trigrams of words with back-off. Layout, little-endian, every section at a multiple of 4 bytes:
 * `EARSHLM1`, uint32 words V, bigrams B, trigrams T, bytes of the word list, CRC-32 of what follows the header, 0; the words in
 * UTF-8 with a line feed between two; uint8[V] log-probabilities, uint8[V] back-offs, uint32[V + 1] each word's first bigram;
 * uint16[B] second words, uint8[B] log-probabilities, uint8[B] back-offs, uint32[B + 1] each bigram's first trigram; uint16[T]
 * third words, uint8[T] log-probabilities.
 */
export function readNgrams(bytes: Uint8Array): NgramsRead {
  const fault = (text: string): NgramsRead => ({ ok: false, fault: text });
  if (bytes.length < HEADER_BYTES || latin1(bytes.subarray(0, MAGIC.length)) !== MAGIC) {
    return fault(`it does not begin with ${MAGIC}`);
  }
  const header = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  const [words, bigrams, trigrams, textBytes, checksum] = [8, 12, 16, 20, 24].map((at) =>
    header.getUint32(at, true),
  ) as [number, number, number, number, number];
  if (words < SPECIAL.length || words > MOST_WORDS) return fault(`it has ${words} words`);
  const sizes = [
    textBytes,
    ...[words, words, 4 * (words + 1)],
    ...[2 * bigrams, bigrams, bigrams, 4 * (bigrams + 1)],
    ...[2 * trigrams, trigrams],
  ];
  const expected = sizes.reduce((sum, size) => sum + padded(size), HEADER_BYTES);
  if (bytes.length !== expected) return fault(`it has ${bytes.length} bytes and should have ${expected}`);
  if (crc32(bytes.subarray(HEADER_BYTES)) !== checksum) return fault('its checksum is wrong');
  // Sections of two and four bytes a value must lie on their boundaries in memory, too.
  const body = Uint8Array.from(bytes.subarray(HEADER_BYTES));
  let at = 0;
  const section = (): Uint8Array => {
    const size = sizes.shift()!;
    const part = body.subarray(at, at + size);
    at += padded(size);
    return part;
  };
  const list = new TextDecoder().decode(section()).split('\n');
  const wide = (): Uint32Array => Uint32Array.from(view32(section()));
  const ngrams = new Ngrams({
    words: list,
    unigramLogs: section(),
    unigramBackoffs: section(),
    firstBigrams: wide(),
    bigramWords: view16(section()),
    bigramLogs: section(),
    bigramBackoffs: section(),
    firstTrigrams: wide(),
    trigramWords: view16(section()),
    trigramLogs: section(),
  });
  const found = ngrams.fault();
  return found === null ? { ok: true, ngrams } : fault(found);
}

const padded = (size: number): number => size + (-size & 3);
const latin1 = (bytes: Uint8Array): string => String.fromCharCode(...bytes);
const view16 = (bytes: Uint8Array): Uint16Array =>
  new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2);
const view32 = (bytes: Uint8Array): Uint32Array =>
  new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);

interface Sections {
  readonly words: readonly string[];
  readonly unigramLogs: Uint8Array;
  readonly unigramBackoffs: Uint8Array;
  readonly firstBigrams: Uint32Array;
  readonly bigramWords: Uint16Array;
  readonly bigramLogs: Uint8Array;
  readonly bigramBackoffs: Uint8Array;
  readonly firstTrigrams: Uint32Array;
  readonly trigramWords: Uint16Array;
  readonly trigramLogs: Uint8Array;
}

/**
 * Trigrams with back-off. A history is one number: a word's id, or, where the model has the bigram of the last two words, the
 * number of words plus the bigram's place.
 */
export class Ngrams {
  /** UNKNOWN_WORD, SENTENCE_END, SENTENCE_START, then rising by code points. */
  readonly words: readonly string[];
  /** The history after the word of the last logOf(). */
  next = 0;
  readonly #s: Sections;
  readonly #count: number;

  /** See readNgrams(). */
  constructor(sections: Sections) {
    this.#s = sections;
    this.words = sections.words;
    this.#count = sections.words.length;
  }

  /** Natural log-probability of a word alone. */
  unigramLog(word: number): number {
    return -this.#s.unigramLogs[word]! / STEPS;
  }

  /** Natural log-probability of a word after a history; see next. */
  logOf(history: number, word: number): number {
    const s = this.#s;
    let log = 0;
    let last = history;
    if (history >= this.#count) {
      const bigram = history - this.#count;
      last = s.bigramWords[bigram]!;
      const at = find(s.trigramWords, s.firstTrigrams[bigram]!, s.firstTrigrams[bigram + 1]!, word);
      const pair = find(s.bigramWords, s.firstBigrams[last]!, s.firstBigrams[last + 1]!, word);
      this.next = pair < 0 ? word : this.#count + pair;
      if (at >= 0) return -s.trigramLogs[at]! / STEPS;
      log = MOST_BACKOFF - s.bigramBackoffs[bigram]! / STEPS;
      if (pair >= 0) return log - s.bigramLogs[pair]! / STEPS;
    } else {
      const pair = find(s.bigramWords, s.firstBigrams[last]!, s.firstBigrams[last + 1]!, word);
      this.next = pair < 0 ? word : this.#count + pair;
      if (pair >= 0) return -s.bigramLogs[pair]! / STEPS;
    }
    return log + MOST_BACKOFF - (s.unigramBackoffs[last]! + s.unigramLogs[word]!) / STEPS;
  }

  /** What is wrong with the sections, or null. */
  fault(): string | null {
    const { words, firstBigrams, bigramWords, firstTrigrams, trigramWords } = this.#s;
    if (words.length !== firstBigrams.length - 1) {
      return `it lists ${words.length} words and should list ${firstBigrams.length - 1}`;
    }
    if (SPECIAL.some((name, i) => words[i] !== name))
      return `its words do not begin with ${SPECIAL.join(', ')}`;
    for (let i = SPECIAL.length + 1; i < words.length; i++) {
      if (words[i - 1]! >= words[i]!) return `its words are not sorted at ${i}`;
    }
    const order = rises(firstBigrams, bigramWords.length) && rises(firstTrigrams, trigramWords.length);
    const known = [bigramWords, trigramWords].every((list) => list.every((word) => word < words.length));
    return order && known ? null : 'its n-grams are out of order';
  }
}

function rises(first: Uint32Array, count: number): boolean {
  for (let i = 1; i < first.length; i++) if (first[i - 1]! > first[i]!) return false;
  return first[0] === 0 && first.at(-1) === count;
}

/** @returns where word is in the sorted part [from, to), or -1 */
function find(words: Uint16Array, from: number, to: number, word: number): number {
  while (from < to) {
    const middle = (from + to) >>> 1;
    const there = words[middle]!;
    if (there === word) return middle;
    if (there < word) from = middle + 1;
    else to = middle;
  }
  return -1;
}
