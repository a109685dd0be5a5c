import type { MediaCrypto, SrtpKeySet, SrtpMasterKey, SrtpSuite } from '@earshot/contracts';

/** The crypto suites that we take: RFC 4568 section 6.2, RFC 6188 section 4, RFC 7714 section 14.2. Bytes of key and salt. */
const SUITES = {
  AES_CM_128_HMAC_SHA1_80: 16 + 14,
  AES_CM_128_HMAC_SHA1_32: 16 + 14,
  AES_256_CM_HMAC_SHA1_80: 32 + 14,
  AES_256_CM_HMAC_SHA1_32: 32 + 14,
  AEAD_AES_128_GCM: 16 + 12,
  AEAD_AES_256_GCM: 32 + 12,
} as const satisfies Record<SrtpSuite, number>;

/** An a=crypto attribute that we can take. */
export interface CryptoAttribute extends SrtpKeySet {
  readonly tag: number;
}

export type CryptoRead =
  | { readonly kind: 'usable'; readonly attribute: CryptoAttribute }
  /** Well formed, but not what we do. `why` has no key in it. */
  | { readonly kind: 'unsupported'; readonly why: string }
  | { readonly kind: 'malformed'; readonly why: string };

const MAX_KEYS = 16;
const MAX_MKI_BYTES = 128;
/** SRTP's own limit (RFC 3711 section 9.2). */
const MAX_LIFETIME = 2 ** 48;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;
/** Parameters that RFC 4568 section 6.3 defines and that change nothing for a receiver. */
const HARMLESS_PARAMETERS = /^WSH=\d{2,9}$/;

/**
 * Reads the value of an a=crypto attribute (RFC 4568 section 9.1): `1 AES_CM_128_HMAC_SHA1_80 inline:…|2^31|1:4 WSH=128`.
 * Never throws.
 */
export function readCrypto(value: string): CryptoRead {
  const [tagText = '', suite = '', keyParameters = '', ...sessionParameters] = value.trim().split(/[ \t]+/);
  if (!/^\d{1,9}$/.test(tagText)) return malformed('the tag is not a number of up to nine digits');
  if (!/^[A-Za-z0-9_]{1,64}$/.test(suite)) return malformed(`crypto ${tagText} has no suite`);
  if (keyParameters === '') return malformed(`crypto ${tagText} has no key`);
  if (!Object.hasOwn(SUITES, suite)) return unsupported(`suite ${suite}`);
  for (const parameter of sessionParameters) {
    // A minus in front: optional. One without, and not known, must not be passed over (RFC 4568 section 6.3.7).
    if (parameter.startsWith('-') || HARMLESS_PARAMETERS.test(parameter)) continue;
    return unsupported(`session parameter ${nameOf(parameter)}`);
  }
  return readKeys(Number(tagText), suite as SrtpSuite, keyParameters.split(';'));
}

function readKeys(tag: number, suite: SrtpSuite, parameters: readonly string[]): CryptoRead {
  if (parameters.length > MAX_KEYS) return malformed(`crypto ${tag} has more than ${MAX_KEYS} keys`);
  const keys: SrtpMasterKey[] = [];
  for (const parameter of parameters) {
    const key = readKey(suite, parameter);
    if (typeof key === 'string') return malformed(`crypto ${tag}: ${key}`);
    if (key === null) return unsupported(`key method ${nameOf(parameter)}`);
    keys.push(key);
  }
  const mkiBytes = keys.map(({ mki }) => (mki === null ? 0 : Buffer.from(mki, 'base64').length));
  if (keys.length > 1 && mkiBytes.some((bytes) => bytes === 0 || bytes !== mkiBytes[0])) {
    return malformed(`crypto ${tag}: several keys need identifiers of one length`);
  }
  if (new Set(keys.map(({ mki }) => mki)).size !== keys.length)
    return malformed(`crypto ${tag}: a key identifier is repeated`);
  return { kind: 'usable', attribute: { tag, suite, keys } };
}

/** @returns what is wrong as text; null for a method that is not `inline` */
function readKey(suite: SrtpSuite, parameter: string): SrtpMasterKey | string | null {
  const colon = parameter.indexOf(':');
  if (colon < 1) return 'a key has no method';
  if (parameter.slice(0, colon).toLowerCase() !== 'inline') return null;
  const [key = '', ...rest] = parameter.slice(colon + 1).split('|');
  if (!BASE64.test(key)) return 'a key is not base64';
  const bytes = Buffer.from(key, 'base64');
  if (bytes.length !== SUITES[suite]) {
    return `a key and salt of ${suite} have ${SUITES[suite]} bytes, not ${bytes.length}`;
  }
  // The lifetime may be left out; the identifier is the one with a colon.
  const lifetimeText = rest[0] !== undefined && !rest[0].includes(':') ? rest.shift()! : null;
  const mkiText = rest.shift() ?? null;
  if (rest.length > 0) return 'a key has too many parts';
  // How many packets the offerer means to send with a key: nothing to a receiver, whose limit is the suite's.
  if (lifetimeText !== null && !isLifetime(lifetimeText))
    return 'a key lifetime is not 2^n or a number, from 1 to 2^48';
  const mki = mkiText === null ? null : readMki(mkiText);
  if (mkiText !== null && mki === null)
    return 'a key identifier is not value:length with a length of 1 to 128';
  return { key: bytes.toString('base64'), mki };
}

function isLifetime(text: string): boolean {
  const match = /^(2\^)?(\d{1,15})$/.exec(text);
  if (match === null) return false;
  const packets = match[1] === undefined ? Number(match[2]) : 2 ** Number(match[2]);
  return packets >= 1 && packets <= MAX_LIFETIME;
}

/** `value:length`: the identifier as packets carry it, a big-endian number of so many bytes; in base64, or null. */
function readMki(text: string): string | null {
  const match = /^(\d{1,309}):(\d{1,3})$/.exec(text);
  if (match === null) return null;
  const length = Number(match[2]);
  const digits = BigInt(match[1]!).toString(16);
  if (length < 1 || length > MAX_MKI_BYTES || digits.length > length * 2) return null;
  return Buffer.from(digits.padStart(length * 2, '0'), 'hex').toString('base64');
}

export type CryptoChoice =
  | { readonly kind: 'chosen'; readonly attribute: CryptoAttribute }
  /** `why` goes into the refusal; no key is in it. */
  | { readonly kind: 'none'; readonly why: string };

/**
 * The attribute to answer of an m-line's, by the offerer's order of preference (RFC 4568 section 5.1.2). What is malformed is passed
 * over like what we do not do, and named when nothing else is left.
 * @param values of its a=crypto attributes
 */
export function chooseCrypto(values: readonly string[]): CryptoChoice {
  const faults: string[] = [];
  const tags = new Set<string>();
  for (const value of values) {
    const tag = value.trim().split(/[ \t]/, 1)[0]!;
    // The answer names a tag: two attributes with one could not be told apart.
    const read: CryptoRead = tags.has(tag) ? malformed(`crypto tag ${tag} is repeated`) : readCrypto(value);
    tags.add(tag);
    if (read.kind === 'usable') return { kind: 'chosen', attribute: read.attribute };
    faults.push(read.kind === 'malformed' ? read.why : `${read.why} is not supported`);
  }
  return { kind: 'none', why: faults.length === 0 ? 'no a=crypto' : faults.slice(0, 4).join('; ') };
}

/** A new key of ours. @param random that many random bytes, fit for keys (node:crypto randomBytes) */
export const ownKeys = (suite: SrtpSuite, random: (bytes: number) => Uint8Array): SrtpKeySet => ({
  suite,
  keys: [{ key: Buffer.from(random(SUITES[suite])).toString('base64'), mki: null }],
});

/**
 * The value of the answer's a=crypto: the offer's tag and suite with our own key (RFC 4568 section 5.1.2).
 * @param own of the same suite, one key
 */
export const cryptoAnswer = (chosen: CryptoAttribute, own: SrtpKeySet): string =>
  `${chosen.tag} ${chosen.suite} inline:${own.keys[0]!.key}`;

/**
 * What the worker gets. Our key stays while the suite does, so that an offer that is repeated gets the same answer.
 * @param before what was negotiated before in this dialog
 */
export function negotiateCrypto(
  chosen: CryptoAttribute,
  before: MediaCrypto | null,
  random: (bytes: number) => Uint8Array,
): MediaCrypto {
  const { suite, keys } = chosen;
  const send = before !== null && before.send.suite === suite ? before.send : ownKeys(suite, random);
  return { receive: { suite, keys }, send };
}

/** The name of a parameter, cut: a key may stand behind it. */
const nameOf = (parameter: string): string => parameter.split(/[=:]/, 1)[0]!.slice(0, 32);

const malformed = (why: string): CryptoRead => ({ kind: 'malformed', why });
const unsupported = (why: string): CryptoRead => ({ kind: 'unsupported', why });
