import { SaxesParser } from 'saxes';

/** An element by its local name: near-dialects of RFC 7865 differ in prefixes and namespaces. */
export interface Element {
  readonly name: string;
  /** By local name. */
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly Element[];
  /** Text directly in the element, trimmed. */
  readonly text: string;
}

interface Growing {
  readonly name: string;
  readonly attributes: Map<string, string>;
  readonly children: Element[];
  text: string;
}

const MAX_XML_CHARS = 131_072;
const MAX_DEPTH = 24;
const MAX_ELEMENTS = 4_000;

const localName = (name: string): string => name.slice(name.indexOf(':') + 1);

/** The five entities of XML itself, and characters by number. */
const OWN_ENTITY = /&(?!(?:amp|lt|gt|quot|apos);)[a-z_][\w.-]*;/i;

/** What is never read, whatever else could be made of it: thrown, where a mere slip is told as `fault`. */
class Refused extends Error {}

interface XmlReading {
  /** Null when not even the first element could be read. */
  readonly root: Element | null;
  /** Why it ends early: the tree has what came before. Null for a document that is well-formed, or could be mended. */
  readonly fault: string | null;
}

/**
 * A small XML tree. A DTD is refused at its first sight, entities but the five of XML itself with it; depth, size and
 * count are bounded. A document that is not well-formed is mended where it is known how (an ampersand or an attribute
 * without quotes, as devices and their manuals show them), and read as far as it goes otherwise.
 * @throws Error that says why it is refused
 */
export function parseXml(text: string): XmlReading {
  if (text.length > MAX_XML_CHARS) throw new Refused(`longer than ${MAX_XML_CHARS} characters`);
  if (/<!(?:DOCTYPE|ENTITY)/i.test(text)) throw new Refused('it has a DTD');
  if (OWN_ENTITY.test(text)) throw new Refused('it has an entity of its own');
  // White space before the declaration is common and forbidden by XML; devices also pad the end with NUL.
  const trimmed = withoutPadding(text).trim();
  const reading = readTree(trimmed);
  if (reading.fault === null) return reading;
  const again = readTree(mended(trimmed));
  return again.fault === null || reading.root === null ? again : reading;
}

/** Without NUL and white space at its end; a pattern would try every NUL of a long row for the last. */
function withoutPadding(text: string): string {
  let end = text.length;
  while (end > 0 && (text[end - 1] === '\0' || text[end - 1]!.trim() === '')) end--;
  return text.slice(0, end);
}

/** Bare ampersands written out, attributes in quotes that are straight and have no backslash before them. */
const mended = (text: string): string =>
  text
    .replaceAll('\\"', '"')
    .replace(/&(?!(?:amp|lt|gt|quot|apos|#\d+|#x[0-9a-f]+);)/gi, '&amp;')
    .replace(/<[A-Za-z_][^<>]*>/g, (tag) =>
      tag
        .replace(/[\u201c\u201d]/g, '"')
        .replace(
          /("[^"]*"|'[^']*')|=\s*([^\s"'<>=]+?)(?=\s|\/?>)/g,
          (whole: string, _quoted: string | undefined, bare: string | undefined) =>
            bare === undefined ? whole : `="${bare}"`,
        ),
    );

function readTree(text: string): XmlReading {
  const parser = new SaxesParser({ xmlns: false });
  const open: Growing[] = [];
  let root: Growing | null = null;
  let elements = 0;
  // saxes goes on after a fault unless its handlers throw.
  parser.on('error', (error) => {
    throw new Error(error.message.slice(0, 120));
  });
  parser.on('opentag', (tag) => {
    if (open.length >= MAX_DEPTH) throw new Refused(`nested deeper than ${MAX_DEPTH}`);
    if (++elements > MAX_ELEMENTS) throw new Refused(`more than ${MAX_ELEMENTS} elements`);
    const attributes = new Map<string, string>();
    for (const [name, value] of Object.entries(tag.attributes)) {
      const namespace = name === 'xmlns' || name.startsWith('xmlns:');
      attributes.set(namespace ? name : localName(name), value);
    }
    const element: Growing = { name: localName(tag.name), attributes, children: [], text: '' };
    open.at(-1)?.children.push(element);
    root ??= element;
    open.push(element);
  });
  const addText = (more: string): void => {
    const inside = open.at(-1);
    if (inside !== undefined) inside.text += more;
  };
  parser.on('closetag', () => {
    const closed = open.pop();
    if (closed !== undefined) closed.text = closed.text.trim();
  });
  parser.on('text', addText);
  parser.on('cdata', addText);
  try {
    parser.write(text).close();
    return { root, fault: root === null ? 'there is no element' : null };
  } catch (error) {
    if (error instanceof Refused) throw error;
    for (const element of open) element.text = element.text.trim();
    return { root, fault: (error as Error).message };
  }
}

/** Every element of that local name, in document order, at any depth. */
export function descendants(element: Element, name: string): Element[] {
  const found: Element[] = [];
  const wanted = name.toLowerCase();
  const visit = (at: Element): void => {
    if (at.name.toLowerCase() === wanted) found.push(at);
    for (const child of at.children) visit(child);
  };
  visit(element);
  return found;
}

const MAX_TEXT_CHARS = 256;

export const clip = (value: string): string => value.slice(0, MAX_TEXT_CHARS);

/** The first of the attributes that is there and not empty, in any case of its name; clipped. */
export function attribute(element: Element, ...names: readonly string[]): string | null {
  for (const name of names) {
    for (const [key, value] of element.attributes) {
      if (key.toLowerCase() === name && value.trim() !== '') return clip(value.trim());
    }
  }
  return null;
}

/** Null for no element and for an empty text: Ribbon sends a name of one space. */
export const text = (element: Element | undefined): string | null =>
  element === undefined || element.text === '' ? null : clip(element.text);
