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

/** Host and parameters of the URI in a From, To or Contact value; names and host in lower case, '' for a bare name. */
export function uriParameters(value: string): {
  readonly host: string;
  readonly parameters: ReadonlyMap<string, string>;
} {
  const text = value.slice(0, 2048).replace(/[\r\n]+/g, ' ');
  // Without angle brackets what follows are parameters of the header (RFC 3261 section 20.10); some mean the URI's.
  const uri = /<([^>]*)>/.exec(text)?.[1] ?? text;
  const [address = '', ...rest] = uri.split(';');
  const parameters = new Map<string, string>();
  for (const part of rest) {
    const [name = '', ...content] = part.split('=');
    const key = name.trim().toLowerCase();
    if (key !== '' && !parameters.has(key)) parameters.set(key, content.join('=').trim());
  }
  const host = /^(?:[a-z]+:)?(?:[^@]*@)?(\[[^\]]*\]|[^:;?]*)/i.exec(address.trim())?.[1] ?? '';
  return { host: host.toLowerCase(), parameters };
}
