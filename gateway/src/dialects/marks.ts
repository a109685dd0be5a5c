import type { Arrival } from './invite.ts';

/** What tells devices apart: small questions to an INVITE, for the dialects' `recognises`. */

/** The product that the caller says it is: User-Agent, or Server, which some send in requests. */
export const product = ({ invite }: Arrival): string =>
  `${invite.header('user-agent') ?? ''} ${invite.header('server') ?? ''}`;

/** The user name in o= (RFC 8866 section 5.2) and the session name, where devices put their names. */
export const sessionNames = ({ sdp }: Arrival): string =>
  [...(sdp ?? '').matchAll(/^(?:o=(\S*)|s=(.*))/gm)]
    .slice(0, 2)
    .map((line) => line[1] ?? line[2]!.trim())
    .join(' ');

export const boundary = ({ invite }: Arrival): string =>
  /boundary\s*=\s*"?([^";]*)/i.exec(invite.header('content-type') ?? '')?.[1]?.trim() ?? '';

export const hasNamespace = ({ metadata }: Arrival, pattern: RegExp): boolean =>
  metadata?.namespaces?.some((name) => pattern.test(name)) === true;

export const hasExtension = ({ metadata }: Arrival, pattern: RegExp): boolean =>
  metadata?.extensions?.some(({ name }) => pattern.test(name)) === true;

export const hasHeader = ({ invite }: Arrival, pattern: RegExp): boolean => {
  for (const [name] of invite.entries()) if (pattern.test(name.toLowerCase())) return true;
  return false;
};

/** Whether it is SIPREC at all, by any one of its marks, because devices leave some out (BroadWorks sends no Require). */
export const isSiprec = ({ invite, metadata }: Arrival): boolean =>
  metadata !== null ||
  (invite.header('require') ?? '').split(',').some((token) => token.trim().toLowerCase() === 'siprec') ||
  isRecordingClient(invite.header('contact') ?? '');

/** The Contact of a session recording client says `+sip.src` (RFC 7866 section 6.1.1); AudioCodes also a bare `;src`. */
const isRecordingClient = (contact: string): boolean => /;\s*(\+sip\.)?src\s*($|[;,=])/i.test(contact);
