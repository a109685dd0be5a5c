import { isBlank, isToken, parseDecimal, skipBlanks } from './chars.ts';
import type { CSeq, Via } from './message.ts';
import { formatParams, parseHostPort, parseParams } from './uri.ts';

/**
 * Reads one Via value: `SIP/2.0/UDP host[:port];params`, with blanks wherever RFC 3261 section 25.1 has them.
 * @param lenient any version, and empty parameters: enough to answer a faulty request
 */
export function parseVia(text: string, lenient = false): Via | undefined {
  const first = text.indexOf('/');
  const second = text.indexOf('/', first + 1);
  if (first === -1 || second === -1) return undefined;
  if (text.slice(0, first).trim().toUpperCase() !== 'SIP') return undefined;
  if (text.slice(first + 1, second).trim() !== '2.0' && !lenient) return undefined;
  let i = skipBlanks(text, second + 1);
  const transportStart = i;
  while (i < text.length && !isBlank(text.charCodeAt(i))) i++;
  const transport = text.slice(transportStart, i).toUpperCase();
  if (!isToken(transport)) return undefined;
  i = skipBlanks(text, i);
  const semi = text.indexOf(';', i);
  const sentBy = (semi === -1 ? text.slice(i) : text.slice(i, semi)).trim();
  const hostPort = parseHostPort(sentBy);
  if (hostPort === undefined) return undefined;
  const params = parseParams(text, semi === -1 ? text.length : semi, lenient);
  if (params === undefined) return undefined;
  return { transport, host: hostPort.host, port: hostPort.port, params };
}

export function formatVia(via: Via): string {
  const port = via.port === undefined ? '' : `:${via.port}`;
  return `SIP/2.0/${via.transport} ${via.host}${port}${formatParams(via.params)}`;
}

/** Reads `<number> <method>`; the number must be below 2^31 (RFC 3261 section 8.1.1.5). */
export function parseCSeq(text: string): CSeq | undefined {
  let i = 0;
  while (i < text.length && !isBlank(text.charCodeAt(i))) i++;
  const seq = parseDecimal(text.slice(0, i));
  const method = text.slice(i).trim();
  if (seq === undefined || seq >= 2 ** 31 || !isToken(method)) return undefined;
  return { seq, method };
}
