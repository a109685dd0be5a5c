import { endOfQuoted, isToken, parseDecimal, skipBlanks } from './chars.ts';
import type { NameAddr, Params } from './message.ts';

/** A SIP or SIPS URI taken apart (RFC 3261 section 19.1). Escapes are left as they are. */
export interface SipUri {
  readonly scheme: 'sip' | 'sips';
  readonly user: string | undefined;
  /** Lower case is not forced; IPv6 references keep their brackets. */
  readonly host: string;
  readonly port: number | undefined;
  readonly params: Params;
}

/** Scheme of any URI in lower case, or undefined when the text is no URI. */
export function uriScheme(text: string): string | undefined {
  const colon = text.indexOf(':');
  if (colon <= 0) return undefined;
  const scheme = text.slice(0, colon).toLowerCase();
  for (let i = 0; i < scheme.length; i++) {
    const c = scheme.charCodeAt(i);
    const alpha = c >= 0x61 && c <= 0x7a;
    const later = (c >= 0x30 && c <= 0x39) || c === 0x2b || c === 0x2d || c === 0x2e;
    if (!alpha && !(i > 0 && later)) return undefined;
  }
  return scheme;
}

interface HostPort {
  readonly host: string;
  readonly port: number | undefined;
}

/** Reads `host[:port]`; blanks around the colon are allowed, as Via allows them. */
export function parseHostPort(text: string): HostPort | undefined {
  let host: string;
  let rest: string;
  if (text.startsWith('[')) {
    const close = text.indexOf(']');
    if (close === -1) return undefined;
    host = text.slice(0, close + 1);
    if (!/^\[[0-9a-fA-F:.]+\]$/.test(host)) return undefined;
    rest = text.slice(close + 1).trim();
  } else {
    const colon = text.indexOf(':');
    host = (colon === -1 ? text : text.slice(0, colon)).trim();
    rest = colon === -1 ? '' : text.slice(colon).trim();
    if (!isToken(host)) return undefined;
  }
  if (rest === '') return { host, port: undefined };
  if (!rest.startsWith(':')) return undefined;
  const port = parseDecimal(rest.slice(1).trim(), 5);
  if (port === undefined || port === 0 || port > 65_535) return undefined;
  return { host, port };
}

/** Takes a sip: or sips: URI apart; undefined when it is another scheme or malformed. */
export function parseSipUri(text: string): SipUri | undefined {
  const scheme = uriScheme(text);
  if (scheme !== 'sip' && scheme !== 'sips') return undefined;
  let rest = text.slice(scheme.length + 1);
  for (let i = 0; i < rest.length; i++) {
    const c = rest.charCodeAt(i);
    if (c <= 0x20 || c === 0x3c || c === 0x3e || c === 0x22) return undefined;
  }
  const at = rest.lastIndexOf('@');
  let user: string | undefined;
  if (at !== -1) {
    user = rest.slice(0, at);
    rest = rest.slice(at + 1);
  }
  const question = rest.indexOf('?');
  if (question !== -1) rest = rest.slice(0, question);
  const semi = rest.indexOf(';');
  const hostPort = parseHostPort(semi === -1 ? rest : rest.slice(0, semi));
  if (hostPort === undefined) return undefined;
  const params = new Map<string, string | undefined>();
  if (semi !== -1) {
    for (const part of rest.slice(semi + 1).split(';')) {
      if (part === '') continue;
      const eq = part.indexOf('=');
      if (eq === -1) params.set(part.toLowerCase(), undefined);
      else params.set(part.slice(0, eq).toLowerCase(), part.slice(eq + 1));
    }
  }
  return { scheme, user, host: hostPort.host, port: hostPort.port, params };
}

/**
 * Reads `;name[=value]` pairs from `i` to the end of the text. Blanks are allowed around `;` and `=`, values may
 * be quoted strings. Undefined when something else follows, or nothing stands between two semicolons (RFC 4475
 * section 3.1.2.1); one at the very end is let pass. `lenient` skips empty ones, for a fault that is to be answered.
 */
export function parseParams(text: string, i: number, lenient = false): Params | undefined {
  const params = new Map<string, string | undefined>();
  i = skipBlanks(text, i);
  while (i < text.length) {
    if (text.charCodeAt(i) !== 0x3b) return undefined;
    i = skipBlanks(text, i + 1);
    if (i === text.length) break;
    const nameStart = i;
    while (i < text.length && !';= \t'.includes(text.charAt(i))) i++;
    const name = text.slice(nameStart, i).toLowerCase();
    if (name === '' && lenient) continue;
    if (!isToken(name)) return undefined;
    i = skipBlanks(text, i);
    if (text.charCodeAt(i) !== 0x3d) {
      params.set(name, undefined);
      continue;
    }
    i = skipBlanks(text, i + 1);
    const valueStart = i;
    if (text.charCodeAt(i) === 0x22) {
      i = endOfQuoted(text, i);
      if (i === -1) return undefined;
    } else {
      while (i < text.length && !'; \t"'.includes(text.charAt(i))) i++;
    }
    params.set(name, text.slice(valueStart, i));
    i = skipBlanks(text, i);
  }
  return params;
}

/**
 * Reads one name-addr or addr-spec with its parameters. Without angle brackets, parameters belong to the header
 * and not to the URI (RFC 3261 section 20.10).
 */
export function parseNameAddr(text: string): NameAddr | undefined {
  let i = skipBlanks(text, 0);
  let display = '';
  if (text.charCodeAt(i) === 0x22) {
    const end = endOfQuoted(text, i);
    if (end === -1) return undefined;
    display = text.slice(i, end);
    i = skipBlanks(text, end);
    if (text.charCodeAt(i) !== 0x3c) return undefined;
  }
  const open = text.indexOf('<', i);
  let uri: string;
  if (open !== -1) {
    if (display === '') display = text.slice(i, open).trim();
    else if (open !== i) return undefined;
    if (display.includes('"') && !display.startsWith('"')) return undefined;
    const close = text.indexOf('>', open);
    if (close === -1) return undefined;
    uri = text.slice(open + 1, close).trim();
    i = close + 1;
  } else {
    const semi = text.indexOf(';', i);
    uri = (semi === -1 ? text.slice(i) : text.slice(i, semi)).trim();
    i = semi === -1 ? text.length : semi;
    // Whose headers these are would be unclear (RFC 3261 section 20, RFC 4475 section 3.1.2.13).
    if (uri.includes('?')) return undefined;
  }
  if (uri === '' || /[\s<>"|]/.test(uri)) return undefined;
  const scheme = uriScheme(uri);
  if (scheme === undefined) return undefined;
  if ((scheme === 'sip' || scheme === 'sips') && parseSipUri(uri) === undefined) return undefined;
  const params = parseParams(text, i);
  return params === undefined ? undefined : { display, uri, params };
}

/** The `tag` of a From or To, if it has one. */
export function tagOf(address: NameAddr): string | undefined {
  const tag = address.params.get('tag');
  return tag === '' ? undefined : tag;
}

/** Writes parameters as `;name=value`. */
export function formatParams(params: Params): string {
  let text = '';
  for (const [name, value] of params) text += value === undefined ? `;${name}` : `;${name}=${value}`;
  return text;
}
