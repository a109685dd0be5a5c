import type { Random } from './random.ts';

/** What means something to a SIP parser, and extremes of it. */
const SPICE = [
  '\r\n',
  '\n',
  '\r',
  '\0',
  '\\\0',
  ',',
  ';',
  ';;',
  '"',
  '<',
  '>',
  ':',
  '|',
  '#',
  '%00',
  '%',
  '\r\n ',
  '\r\n\r\n',
  'SIP/2.0',
  'SIP/7.0',
  '-1',
  '0',
  '4294967296',
  '9'.repeat(30),
  '\\',
  '@',
  '?',
  '=',
  '[',
  '[::1]',
  ';tag=',
  ';branch=z9hG4bK',
  ';rport=',
  ';received=',
  ';maddr=',
  ';lr',
  'Via: ',
  'l: 9\r\n',
  'Content-Length: 0\r\n',
  'Require: 100rel\r\n',
  'sips:',
  'tel:',
  'é',
  '\xff\xfe',
  ' ',
  '\t',
  'x'.repeat(300),
] as const;

/** One to four changes: bytes, a piece cut out, said twice or moved, a line dropped or repeated, something spicy put in. */
export function mutate(message: string, random: Random): string {
  let text = message;
  for (let i = 1 + random.below(4); i > 0; i--) text = mutateOnce(text, random);
  return text;
}

function mutateOnce(text: string, random: Random): string {
  const at = random.below(text.length + 1);
  const size = random.below(24);
  const before = text.slice(0, at);
  const rest = text.slice(at);
  switch (random.below(10)) {
    case 0:
      return before + String.fromCharCode(random.below(256)) + rest.slice(1);
    case 1:
      return before + rest.slice(size);
    case 2:
      return before + rest.slice(0, size) + rest;
    case 3: {
      const gap = size + random.below(200);
      return before + rest.slice(size, gap) + rest.slice(0, size) + rest.slice(gap);
    }
    case 4:
      return random.chance(0.3) ? before : text + rest;
    case 5:
      return editLine(text, random, () => []);
    case 6:
      return editLine(text, random, (line) => [line, line]);
    case 7:
      return editLine(text, random, (line) => [line.slice(0, line.indexOf(':') + 1)]);
    default:
      return before + random.of(SPICE) + rest;
  }
}

function editLine(text: string, random: Random, edit: (line: string) => string[]): string {
  const lines = text.split('\r\n');
  const at = random.below(lines.length);
  return [...lines.slice(0, at), ...edit(lines[at] ?? ''), ...lines.slice(at + 1)].join('\r\n');
}
