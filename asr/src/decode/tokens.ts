/** The mark of a piece that begins a word (SentencePiece's U+2581). */
export const WORD_MARK = '\u2581';

export type TokensRead =
  { readonly ok: true; readonly pieces: readonly string[] } | { readonly ok: false; readonly fault: string };

/**
 * Reads tokens.txt: one `symbol id` a line, ids 0..n-1 each once, in any order.
 * A line with only an id means a single space, as sherpa-onnx's symbol tables have it.
 */
export function readTokens(text: string): TokensRead {
  const pieces: string[] = [];
  const lines = text.split('\n').map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line));
  while (lines.length > 0 && lines.at(-1) === '') lines.pop();
  for (const [index, line] of lines.entries()) {
    const space = line.lastIndexOf(' ');
    const symbol = space > 0 ? line.slice(0, space) : ' ';
    const idText = line.slice(space + 1);
    const id = Number(idText);
    if (!/^\d+$/.test(idText) || id >= lines.length) {
      return { ok: false, fault: `line ${index + 1} does not end in an id from 0 to ${lines.length - 1}` };
    }
    if (pieces[id] !== undefined) return { ok: false, fault: `line ${index + 1} has id ${id} again` };
    pieces[id] = symbol === ' ' ? WORD_MARK : symbol;
  }
  return pieces.length > 0 ? { ok: true, pieces } : { ok: false, fault: 'it is empty' };
}
