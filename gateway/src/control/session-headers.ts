import type { SipRequest } from '../sip/request.ts';

const UNDERSTOOD = new Set(['siprec', 'timer', 'replaces', '100rel']);
const MAX_SESSION_EXPIRES_S = 86_400;

const tokens = (value: string | null): string[] =>
  (value ?? '')
    .split(',')
    .map((token) => token.trim().toLowerCase())
    .filter((token) => token !== '');

/** The options of Require that we do not understand (RFC 3261 section 8.2.2.3). */
export const unknownOptions = (request: SipRequest): string[] =>
  tokens(request.header('require')).filter((token) => !UNDERSTOOD.has(token));

/**
 * Session timer (RFC 4028): the caller refreshes. Where the caller wants us to refresh (`refresher=uas`) or knows no
 * timers we leave the header out, which means: no timer.
 */
export function sessionTimer(request: SipRequest): Record<string, string> {
  const header = request.header('session-expires') ?? request.header('x');
  const seconds = /^\s*(\d{1,9})/.exec(header ?? '')?.[1];
  if (header === null || seconds === undefined) return {};
  const supported = [...tokens(request.header('supported')), ...tokens(request.header('require'))];
  if (!supported.includes('timer') || /refresher\s*=\s*uas/i.test(header)) return {};
  return {
    'Session-Expires': `${Math.min(Number(seconds), MAX_SESSION_EXPIRES_S)};refresher=uac`,
    Require: 'timer',
  };
}

/**
 * Our Contact with the mark of a recording server (RFC 7866 section 6.1.2). The SIP server puts its own address in the
 * place of `localhost`.
 */
export const contactFor = (request: SipRequest): string =>
  `<sip:earshot@localhost${request.source.transport === 'tcp' ? ';transport=tcp' : ''}>;+sip.srs`;
