import type { Participant } from '@earshot/contracts';

const MAX_CHARS = 256;

/** Display name and URI of a From, To or Contact value (RFC 3261 section 20.10), without parameters. */
export function parseNameAddr(value: string): Participant {
  const text = value.slice(0, 1024);
  const bracket = /^\s*(?:"((?:[^"\\]|\\.)*)"|([^<"]*?))\s*<\s*([^>]*?)\s*>/.exec(text);
  if (bracket === null) {
    const uri = text.split(/[;,]/)[0]!.trim();
    return { name: null, aor: uri === '' ? null : uri.slice(0, MAX_CHARS) };
  }
  const name = (bracket[1]?.replace(/\\(.)/g, '$1') ?? bracket[2] ?? '').trim();
  const aor = bracket[3]!.split(';')[0]!;
  return {
    name: name === '' ? null : name.slice(0, MAX_CHARS),
    aor: aor === '' ? null : aor.slice(0, MAX_CHARS),
  };
}
