import { WORD_MARK } from './tokens.ts';

/**
 * A token that stands for one byte of UTF-8 is kept as a character of its own until its word is whole: byte b is U+E000 + b, in
 * Unicode's private use area, where no vocabulary has characters.
 */
const BYTE_BASE = 0xe000;
const BYTE_RUN = /[\uE000-\uE0FF]+/g;
const byteCharacter = (byte: number): string => String.fromCharCode(BYTE_BASE + byte);

/** What is no part of a word: <blk>, <unk>, <sos/eos>, <s>, and language tags such as <en-US>. */
const SPECIAL = /^<[A-Za-z][A-Za-z0-9_/-]*>$/;
const BYTE_TOKEN = /^<0x([0-9A-F]{2})>$/;
/** Words on the wire have none. */
const PUNCTUATION = /^[.,?!;:…"。，？！、]+$/;
/** Scripts without spaces: each character is a word of its own. */
const NO_SPACES = /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/u;

/**
 * icefall's byte-level BPE writes byte b as the b-th of 256 printable characters below U+01A7: ASCII as itself, the others
 * in the order of these ranges.
 */
const BYTE_BPE_RANGES: readonly (readonly [number, number])[] = [
  [256, 287],
  [32, 126],
  [288, 305],
  [308, 318],
  [321, 328],
  [330, 382],
  [384, 422],
];
const LAST_BYTE_BPE = 0x1bf;

function byteBpeTable(): ReadonlyMap<string, number> {
  const table = new Map<string, number>();
  for (const [first, last] of BYTE_BPE_RANGES) {
    for (let code = first; code <= last; code++) table.set(String.fromCharCode(code), table.size);
  }
  // What its sentencepiece model gives for the unknown is a space.
  return table.set('⁇', 32);
}

/**
 * sherpa-onnx's rule: no character is of three bytes or more (beside the word mark), and one at least is of the last block
 * that the table uses.
 */
function isByteBpe(symbols: readonly string[]): boolean {
  let last = 0;
  for (const symbol of symbols) {
    for (const character of symbol.startsWith(WORD_MARK) ? symbol.slice(1) : symbol) {
      last = Math.max(last, character.codePointAt(0)!);
    }
  }
  return last >= 0x180 && last <= LAST_BYTE_BPE;
}

/**
 * What each token adds to a word, from the symbols of tokens.txt: lower case; a leading word mark begins a word; nothing for
 * special tokens and punctuation; tokens that stand for bytes as characters that wordText() puts together.
 */
export function tokenPieces(symbols: readonly string[]): string[] {
  const table = isByteBpe(symbols) ? byteBpeTable() : null;
  return symbols.map((symbol) => {
    const byte = BYTE_TOKEN.exec(symbol);
    if (byte !== null) return byteCharacter(parseInt(byte[1]!, 16));
    if (SPECIAL.test(symbol)) return '';
    const marked = symbol.startsWith(WORD_MARK);
    let text = marked ? symbol.slice(WORD_MARK.length) : symbol;
    if (table !== null) {
      text = Array.from(text, (character) => byteCharacter(table.get(character) ?? 32)).join('');
    } else if (PUNCTUATION.test(text)) text = '';
    // Not toLocaleLowerCase(): a Turkish machine would make another word of it.
    else text = text.toLowerCase();
    return marked || NO_SPACES.test(text) ? WORD_MARK + text : text;
  });
}

/** A word's text from its pieces: bytes become characters. Bytes that are no UTF-8 are left out. */
export function wordText(pieces: string): string {
  if (pieces.search(BYTE_RUN) < 0) return pieces;
  return pieces
    .replace(BYTE_RUN, (run) => {
      const bytes = Uint8Array.from(run, (character) => character.charCodeAt(0) - BYTE_BASE);
      return new TextDecoder('utf-8').decode(bytes).replaceAll('\uFFFD', '').toLowerCase();
    })
    .trim();
}
