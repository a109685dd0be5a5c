import type { SessionTimer } from '../call/session-timer.ts';
import type { SipRequest } from '../sip/request.ts';
import type { Refusal } from './refusal.ts';

/** 100rel is kept by sending no provisional response that would have to be reliable (RFC 3262 section 3). */
const UNDERSTOOD = new Set(['siprec', 'timer', 'replaces', '100rel']);
const MAX_SESSION_EXPIRES_S = 86_400;
/** RFC 4028 section 4: no session timer may be shorter. */
const MIN_SESSION_EXPIRES_S = 90;
/** What a peer that cannot be told 422 asks for is met by refreshing more often than it wants. */
const bounded = (seconds: number): number =>
  Math.min(Math.max(seconds, MIN_SESSION_EXPIRES_S), MAX_SESSION_EXPIRES_S);

const tokens = (value: string | null): string[] =>
  (value ?? '')
    .split(',')
    .map((token) => token.trim().toLowerCase())
    .filter((token) => token !== '');

const SDP_RANGES = new Set(['application/sdp', 'application/*', '*/*']);

/** Whether the answer to an INVITE may be SDP; without Accept it may (RFC 3261 section 20.1). */
export function acceptsSdp(request: SipRequest): boolean {
  const accept = request.header('accept');
  return accept === null || tokens(accept).some((range) => isSdpRange(range.split(';', 1)[0]!.trim()));
}

/** Recording clients are known to list what they take of metadata (RFC 7866 section 8.2) and forget the SDP. */
const isSdpRange = (range: string): boolean =>
  SDP_RANGES.has(range) || range.startsWith('application/rs-metadata');

/** The options of Require that we do not understand (RFC 3261 section 8.2.2.3). */
export const unknownOptions = (request: SipRequest): string[] =>
  tokens(request.header('require')).filter((token) => !UNDERSTOOD.has(token));

const secondsOf = (value: string | null): number | null => {
  const digits = /^\s*(\d{1,9})\s*(?:;|$)/.exec(value ?? '')?.[1];
  return digits === undefined ? null : Number(digits);
};

const sessionExpiresOf = (header: (name: string) => string | null): string | null =>
  header('session-expires') ?? header('x');

const knowsTimers = (request: SipRequest): boolean =>
  ['supported', 'k', 'require'].some((name) => tokens(request.header(name)).includes('timer'));

/** 422 for a session timer that is shorter than any may be, where the caller can be told so (RFC 4028 section 9). */
export function timerTooShort(request: SipRequest): Refusal | null {
  const seconds = secondsOf(sessionExpiresOf((name) => request.header(name)));
  if (seconds === null || seconds >= MIN_SESSION_EXPIRES_S || !knowsTimers(request)) return null;
  return {
    status: 422,
    reason: 'Session Interval Too Small',
    headers: { 'Min-SE': String(MIN_SESSION_EXPIRES_S) },
  };
}

/**
 * The session timer that a request is answered with (RFC 4028 section 9), null for none. The caller refreshes, also where it does not
 * say who (Cisco CUCM): we do only where it wants us to, or where it knows no timers and a proxy put the header in.
 * @param nowMs of the monotonic clock
 */
export function timerOf(request: SipRequest, nowMs: number): SessionTimer | null {
  const header = sessionExpiresOf((name) => request.header(name));
  const seconds = secondsOf(header);
  if (header === null || seconds === null || seconds === 0) return null;
  const theyDo = knowsTimers(request) && !/;\s*refresher\s*=\s*uas/i.test(header);
  return {
    intervalS: bounded(seconds),
    refresher: theyDo ? 'peer' : 'us',
    refreshedAtMs: nowMs,
    takesUpdate: tokens(request.header('allow')).includes('update'),
  };
}

/** The headers of a 2xx that say so. */
export function sessionTimer(request: SipRequest): Record<string, string> {
  const timer = timerOf(request, 0);
  if (timer === null) return {};
  return timer.refresher === 'peer'
    ? { 'Session-Expires': `${timer.intervalS};refresher=uac`, Require: 'timer' }
    : { 'Session-Expires': `${timer.intervalS};refresher=uas` };
}

/** The headers of a refresh of ours. */
export const refreshHeaders = ({ intervalS }: SessionTimer): Record<string, string> => ({
  'Session-Expires': `${intervalS};refresher=uac`,
  'Min-SE': String(MIN_SESSION_EXPIRES_S),
  Supported: 'timer',
});

/**
 * What the answer to a refresh of ours makes of the timer (RFC 4028 section 7.2). An answer that says nothing of it leaves the
 * refreshing to us.
 * @param header of the 2xx
 */
export function refreshedTimer(
  timer: SessionTimer,
  header: (name: string) => string | null,
  nowMs: number,
): SessionTimer {
  const value = sessionExpiresOf(header);
  const seconds = secondsOf(value);
  const theyDo = /;\s*refresher\s*=\s*uas/i.test(value ?? '');
  return {
    ...timer,
    intervalS: seconds === null || seconds === 0 ? timer.intervalS : bounded(seconds),
    refresher: theyDo ? 'peer' : 'us',
    refreshedAtMs: nowMs,
  };
}

/** The timer that a 422 asks for in the place of ours; null when it asks for nothing longer. */
export function longerTimer(
  timer: SessionTimer,
  header: (name: string) => string | null,
): SessionTimer | null {
  const seconds = secondsOf(header('min-se'));
  return seconds === null || seconds <= timer.intervalS
    ? null
    : { ...timer, intervalS: Math.min(seconds, MAX_SESSION_EXPIRES_S) };
}

/** Seconds after which an offer that comes at a bad time may come again, at random (RFC 3261 section 14.2). */
export const retryAfter = (): Record<string, string> => ({
  'Retry-After': String(Math.floor(Math.random() * 11)),
});

/**
 * Our Contact with the mark of a recording server (RFC 7866 section 6.1.2). The SIP server puts its own address in the
 * place of `localhost`.
 */
export const contactFor = (request: SipRequest): string => contactOver(request.source.transport);

export const contactOver = (transport: string): string =>
  `<sip:earshot@localhost${transport === 'udp' ? '' : `;transport=${transport}`}>;+sip.srs`;
