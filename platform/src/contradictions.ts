import { isIPv4, isIPv6 } from 'node:net';
import type { Config } from './config-shape.ts';
import { isLoopback, isUnspecified } from './settings.ts';

/** Agreed names whose parts are not built yet. Whoever sets one relies on it: better refused than ignored. */
const NOT_YET: Readonly<Record<string, string>> = {
  S3_URL: 'recordings on S3',
  RETENTION_DAYS: 'deleting old calls by itself',
};

/** What HTTP carries in a header as it is (RFC 9110 section 5.5). */
const HEADER_TEXT = /^[\x21-\x7e]+$/;

/**
 * What is wrong with settings that are right each by itself.
 * @returns a sentence for each fault, which names the settings
 */
export function contradictions(config: Config, env: NodeJS.ProcessEnv): readonly string[] {
  const faults: string[] = [];
  for (const [name, what] of Object.entries(NOT_YET)) {
    if (env[name]) faults.push(`${name} is set, but ${what} is not there yet: unset it`);
  }
  const { rtpPortMin, rtpPortMax } = config;
  if (rtpPortMin >= rtpPortMax) {
    faults.push(`RTP_PORT_MIN (${rtpPortMin}) is not below RTP_PORT_MAX (${rtpPortMax})`);
  } else if (rtpPortMin + (rtpPortMin % 2) >= rtpPortMax) {
    faults.push(
      `RTP_PORT_MIN (${rtpPortMin}) to RTP_PORT_MAX (${rtpPortMax}) has no even port and the one after it, which a stream takes`,
    );
  }
  if (config.publicIp !== null && isIPv6(config.publicIp) && isIPv4(config.rtpBind)) {
    faults.push(
      `PUBLIC_IP (${config.publicIp}) is an IPv6 address while RTP listens on ${config.rtpBind} (RTP_BIND)`,
    );
  }
  faults.push(...portClashes(config));
  if (!isLoopback(config.sipBind) && !env['SIP_ALLOW']) {
    faults.push(
      `SIP_ALLOW is not set while SIP listens on ${config.sipBind}: name the networks of your SBCs, such as SIP_ALLOW=192.0.2.0/24`,
    );
  }
  if (config.apiKey !== null) {
    if (config.apiKey.length < 16) faults.push('API_KEY is shorter than 16 characters');
    if (!HEADER_TEXT.test(config.apiKey))
      faults.push('API_KEY has characters that a header cannot carry: take visible ASCII ones');
  }
  return faults;
}

/** Two that listen for TCP on one port. RTP goes round what SIP has of its range. */
function portClashes(config: Config): readonly string[] {
  const places = [{ name: 'HTTP_PORT', address: config.httpBind, port: config.httpPort }];
  // With a drachtio-server SIP's sockets are not ours.
  if (config.drachtio.host === null) {
    places.push({ name: 'SIP_PORT', address: config.sipBind, port: config.sipPort });
    if (config.sips !== null)
      places.push({ name: 'SIPS_PORT', address: config.sipBind, port: config.sips.port });
  }
  return places.flatMap((one, index) =>
    places
      .slice(index + 1)
      .filter((other) => one.port !== 0 && one.port === other.port && overlap(one.address, other.address))
      .map((other) => `${one.name} and ${other.name} are both ${one.port}`),
  );
}

const overlap = (one: string, other: string): boolean =>
  one === other || isUnspecified(one) || isUnspecified(other);
