/** Character classes of RFC 3261 section 25.1 as one table: faster than a regular expression per message. */
const TOKEN = 1;
const DIGIT = 2;
const WORD = 4;
const table = new Uint8Array(256);
for (const c of 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ') table[c.charCodeAt(0)] = TOKEN | WORD;
for (const c of '0123456789') table[c.charCodeAt(0)] = TOKEN | DIGIT | WORD;
for (const c of "-.!%*_+`'~") table[c.charCodeAt(0)] = TOKEN | WORD;
for (const c of '()<>:\\"/[]?{}') table[c.charCodeAt(0)] = (table[c.charCodeAt(0)] ?? 0) | WORD;

function every(text: string, mask: number, extra: number): boolean {
  if (text.length === 0) return false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === extra) continue;
    if (code > 255 || ((table[code] ?? 0) & mask) === 0) return false;
  }
  return true;
}

/** True for a non-empty `token`. */
export const isToken = (text: string): boolean => every(text, TOKEN, -1);

/** True for a Call-ID: `word` characters and `@` (RFC 3261 section 25.1 `callid`). */
export const isCallId = (text: string): boolean => every(text, WORD, 0x40);

/** Reads an unsigned decimal of at most `maxDigits` digits; anything else (signs, blanks) is undefined. */
export function parseDecimal(text: string, maxDigits = 10): number | undefined {
  if (text.length > maxDigits || !every(text, DIGIT, -1)) return undefined;
  return Number(text);
}

export const isBlank = (code: number): boolean => code === 0x20 || code === 0x09;

/** Index of the first character at or after `i` that is neither space nor tab. */
export function skipBlanks(text: string, i: number): number {
  while (i < text.length && isBlank(text.charCodeAt(i))) i++;
  return i;
}

/**
 * Index just past a quoted string that opens at `i`, or -1 when it never closes. Backslash escapes one
 * character (RFC 3261 section 25.1 `quoted-pair`).
 */
export function endOfQuoted(text: string, i: number): number {
  for (let at = i + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x5c) at++;
    else if (code === 0x22) return at + 1;
  }
  return -1;
}

/** Splits at commas that stand outside quotes and angle brackets. Empty elements are dropped. */
export function splitList(text: string): string[] {
  if (!text.includes(',')) return [text];
  const parts: string[] = [];
  let start = 0;
  let inAngle = false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x22 && !inAngle) {
      const end = endOfQuoted(text, i);
      if (end === -1) break;
      i = end - 1;
    } else if (code === 0x3c) inAngle = true;
    else if (code === 0x3e) inAngle = false;
    else if (code === 0x2c && !inAngle) {
      parts.push(text.slice(start, i).trim());
      start = i + 1;
    }
  }
  parts.push(text.slice(start).trim());
  return parts.filter((part) => part !== '');
}
