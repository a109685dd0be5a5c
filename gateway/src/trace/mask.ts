/**
 * A SIP message without its secrets, for people who look for a fault: keys of protected streams, what authentication is computed
 * from, passwords, tokens, and keys that a caller pressed. The mask says that something was there.
 */
const MASK = '***';

/** Of a challenge or an answer to one, these are no secret. The rest would help whoever guesses at the password. */
const OPEN_PARAMETERS = new Set([
  'username',
  'realm',
  'uri',
  'algorithm',
  'qop',
  'stale',
  'nc',
  'charset',
  'userhash',
]);

/** RFC 3261 section 22, RFC 8760. */
const CREDENTIALS =
  /^(?:proxy-)?(?:authorization|authenticate|authentication-info)$|^(?:www-authenticate|authentication-info)$/i;
const SCHEMES = /^(?:digest|basic|bearer|ntlm|negotiate|kerberos)(?=\s)/i;
/** Bounded, so that a value without any takes a time in proportion to its length. */
const PARAMETER = /([\w-]{1,64})\s{0,8}=\s{0,8}("(?:[^"\\]|\\.)*"|[^\s,"]+)/g;
/** Names that devices and gateways give to what lets one in. */
const SECRET_NAMES = /cookie|token|secret|passw|api-?key/i;
/** A name, and its value over all the lines that it is folded into (RFC 3261 section 7.3.1). */
const HEADER = /^([!-9;-~]+)([ \t]*:)([^\r\n]*(?:\r?\n[ \t][^\r\n]*)*)/gm;
/** Who would write down what such a body decodes to has the keys that are in it. */
const ENCODED =
  /^(?:content-transfer-encoding|content-encoding|e)[ \t]*:[ \t]*(?!7bit|8bit|binary|identity)\S/im;
/** RFC 6086's digits: which key was pressed is not kept anywhere else either. */
const DTMF =
  /^(?:content-type|c)[ \t]*:[ \t]*(?:application|audio)\/(?:dtmf|[\w.-]*digits|telephone-event)/im;

/** @param raw start line, headers and body as they were sent */
export function maskSecrets(raw: string): string {
  const gap = /\r?\n\r?\n/.exec(raw);
  if (gap === null) return maskHead(raw);
  const head = raw.slice(0, gap.index);
  const body = raw.slice(gap.index + gap[0].length);
  if (body === '') return maskHead(head) + gap[0];
  // A part of a multipart body has headers of its own.
  const isHidden = ENCODED.test(head) || ENCODED.test(body) || DTMF.test(head);
  return maskHead(head) + gap[0] + (isHidden ? MASK : maskBody(body));
}

const maskHead = (head: string): string =>
  maskPasswords(
    head.replace(HEADER, (line: string, name: string, colon: string, value: string) => {
      if (CREDENTIALS.test(name)) return `${name}${colon} ${maskCredentials(value.trim())}`;
      return SECRET_NAMES.test(name) ? `${name}${colon} ${MASK}` : line;
    }),
  );

/** `Digest realm="a", nonce=***`. What is no list of parameters goes whole. */
function maskCredentials(value: string): string {
  const scheme = SCHEMES.exec(value)?.[0] ?? '';
  const isList = scheme === '' ? /^[\w-]+\s*=/.test(value) : /^digest$/i.test(scheme);
  if (!isList) return scheme === '' ? MASK : `${scheme} ${MASK}`;
  const parameters = value.slice(scheme.length).matchAll(PARAMETER);
  const shown = [...parameters].map(([whole, name = '']) =>
    OPEN_PARAMETERS.has(name.toLowerCase()) ? whole : `${name}=${MASK}`,
  );
  return `${scheme} ${shown.join(', ')}`.trim();
}

/** A part may have a whole message in it (message/sipfrag, RFC 3420). */
const maskBody = (body: string): string =>
  maskHead(body)
    // RFC 4568 section 9.1; by the key itself: lines are indented in captures, and taken so.
    .replace(/inline:[^|;\s]*/gi, `inline:${MASK}`)
    // RFC 8866 section 5.12 (obsolete, and still sent), RFC 4567, RFC 8839 section 5.4.
    .replace(/^([ \t]*(?:k=|a=key-mgmt:\s*\S+ |a=ice-pwd:))[^\r\n]*/gim, `$1${MASK}`)
    .replace(/^([ \t]*Signal[ \t]*=[ \t]*)[^\r\n]*/gim, `$1${MASK}`)
    // RFC 4730, KPML.
    .replace(/(\bdigits\s*=\s*)(?:"[^"]*"|'[^']*')/gi, `$1"${MASK}"`);

/** `sip:user:password@host` (RFC 3261 section 19.1.1). Bounded as above. */
const maskPasswords = (text: string): string =>
  text.replace(/(sips?:[^@\s:;,<>"]{0,256}):[^@\s,<>"]{0,512}@/gi, `$1:${MASK}@`);
