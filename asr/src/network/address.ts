import { EarshotError } from '@earshot/contracts';

/** A speech server, as ASR_MODEL names it. */
export interface RemoteAddress {
  readonly protocol: 'vosk' | 'speechmatics';
  /** ws: or wss:, without our own parameters. It holds no secret. */
  readonly url: string;
  /** Most connections that Earshot may hold at once, over all engines. */
  readonly connections: number;
  /** Speechmatics only: ISO language code. */
  readonly language: string;
  /** Speechmatics only: `standard` or `enhanced`; null leaves it to the server. */
  readonly operatingPoint: string | null;
  /** Shown in hellos and logs: protocol, host and language. */
  readonly name: string;
}

const SCHEME = /^(vosk|speechmatics)\+(wss?):\/\//i;
const LANGUAGE = /^[a-z]{2,3}(_[a-z]{2,3})*(-[a-z0-9]{2,8})*$/i;
const DEFAULT_CONNECTIONS = 50;
const MOST_CONNECTIONS = 2000;
const VOSK_PORT = '2700';
/** Names under which people put keys into URLs; URLs end up in logs and process lists. */
const SECRET_PARAMETERS = ['jwt', 'key', 'api_key', 'apikey', 'token', 'access_token', 'auth_token'];

/** Whether ASR_MODEL names a speech server and not a folder. */
export const isRemoteAddress = (text: string): boolean => /^[a-z][a-z0-9.-]*\+wss?:\/\//i.test(text);

/**
 * Reads `vosk+ws://host:2700` or `speechmatics+wss://host/v2?language=en&connections=20`. Parameters that are not ours are
 * handed on to the server.
 * @throws EarshotError CONFIG_INVALID that names the fault and never shows what may be a key
 */
export function parseRemoteAddress(text: string): RemoteAddress {
  const scheme = SCHEME.exec(text);
  if (scheme === null)
    throw invalid('begins with none of vosk+ws:, vosk+wss:, speechmatics+ws:, speechmatics+wss:');
  const protocol = scheme[1]!.toLowerCase() as RemoteAddress['protocol'];
  const rest = `${scheme[2]!.toLowerCase()}://${text.slice(scheme[0].length)}`;
  if (!URL.canParse(rest)) throw invalid('is not a URL');
  const url = new URL(rest);
  if (url.username !== '' || url.password !== '')
    throw invalid('holds a user or password: put the key into ASR_KEY');
  const secret = SECRET_PARAMETERS.find((name) => url.searchParams.has(name));
  if (secret !== undefined) throw invalid(`holds a key (parameter ${secret}): put it into ASR_KEY`);
  if (url.hash !== '') throw invalid('holds a #');
  if (protocol === 'vosk' && !hasPort(text)) url.port = VOSK_PORT;
  const take = (name: string): string | null => {
    const value = url.searchParams.get(name);
    url.searchParams.delete(name);
    return value;
  };
  const connections = take('connections') ?? String(DEFAULT_CONNECTIONS);
  if (!/^\d{1,4}$/.test(connections) || Number(connections) < 1 || Number(connections) > MOST_CONNECTIONS) {
    throw invalid(`wants connections from 1 to ${MOST_CONNECTIONS}`);
  }
  const language = protocol === 'speechmatics' ? (take('language') ?? 'en') : 'en';
  if (!LANGUAGE.test(language)) throw invalid('wants a language code such as en, de or cmn_en in language');
  const operatingPoint = protocol === 'speechmatics' ? take('operating_point') : null;
  if (operatingPoint !== null && !/^[a-z]{1,20}$/.test(operatingPoint)) {
    throw invalid('wants standard or enhanced in operating_point');
  }
  return {
    protocol,
    url: url.href,
    connections: Number(connections),
    language,
    operatingPoint,
    name: protocol === 'vosk' ? `vosk ${url.host}` : `speechmatics ${url.host} ${language}`,
  };
}

/** URL drops a port that is its scheme's own: whether one was written can only be seen in the text. */
const hasPort = (text: string): boolean =>
  /^[^/?#]*:\d+$/.test(text.replace(SCHEME, '').split(/[/?#]/)[0] ?? '');

const invalid = (fault: string): EarshotError => new EarshotError('CONFIG_INVALID', `ASR_MODEL ${fault}`);
