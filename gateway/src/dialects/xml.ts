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

export const MAX_XML_CHARS = 131_072;
const MAX_DEPTH = 24;
const MAX_ELEMENTS = 4_000;

const localName = (name: string): string => name.slice(name.indexOf(':') + 1);

/**
 * A small XML tree. A DTD is refused at its first sight and with it every entity but the five of XML itself; depth,
 * size and count are bounded.
 * @throws Error that names the fault and, for a syntax error, the line
 */
export function parseXml(text: string): Element {
  if (text.length > MAX_XML_CHARS) throw new Error(`longer than ${MAX_XML_CHARS} characters`);
  const parser = new SaxesParser({ xmlns: false });
  const open: Growing[] = [];
  let root: Growing | null = null;
  let elements = 0;
  // saxes goes on after a fault unless its handlers throw.
  parser.on('error', (error) => {
    throw new Error(error.message.slice(0, 120));
  });
  parser.on('doctype', () => {
    throw new Error('it has a DTD');
  });
  parser.on('opentag', (tag) => {
    if (open.length >= MAX_DEPTH) throw new Error(`nested deeper than ${MAX_DEPTH}`);
    if (++elements > MAX_ELEMENTS) throw new Error(`more than ${MAX_ELEMENTS} elements`);
    const attributes = new Map<string, string>();
    for (const [name, value] of Object.entries(tag.attributes)) attributes.set(localName(name), value);
    const element: Growing = { name: localName(tag.name), attributes, children: [], text: '' };
    open.at(-1)?.children.push(element);
    root ??= element;
    open.push(element);
  });
  parser.on('closetag', () => {
    const closed = open.pop();
    if (closed !== undefined) closed.text = closed.text.trim();
  });
  const addText = (more: string): void => {
    const inside = open.at(-1);
    if (inside !== undefined) inside.text += more;
  };
  parser.on('text', addText);
  parser.on('cdata', addText);
  // White space before the declaration is common and forbidden by XML; devices also pad the end with NUL.
  parser.write(text.replace(/\0+\s*$/, '').trim()).close();
  if (root === null) throw new Error('there is no element');
  return root;
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
