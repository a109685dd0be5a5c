/** Times and names as the page shows them. Pure. */

const two = (value: number): string => String(value).padStart(2, '0');

/** m:ss, or h:mm:ss from an hour on, or 3d 4:05:06. */
export function clock(ms: number): string {
  const total = Math.max(0, Math.floor(ms / 1000));
  const days = Math.floor(total / 86_400);
  const hours = Math.floor(total / 3600) % 24;
  const minutes = Math.floor(total / 60) % 60;
  const seconds = two(total % 60);
  if (days > 0) return `${days}d ${hours}:${two(minutes)}:${seconds}`;
  return hours > 0 ? `${hours}:${two(minutes)}:${seconds}` : `${minutes}:${seconds}`;
}

/** 14 s, or m:ss from a minute on. */
export const lasting = (ms: number): string => (ms < 60_000 ? `${Math.round(ms / 1000)} s` : clock(ms));

/** m:ss.t with tenths, for single words. */
export const preciseClock = (ms: number): string =>
  `${clock(ms)}.${Math.floor((Math.max(0, ms) % 1000) / 100)}`;

/** 14:03 today, 3 Mar 14:03 otherwise, in the browser's language. */
export function moment(iso: string, nowMs: number): string {
  const date = new Date(iso);
  const time = date.toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit' });
  if (date.toDateString() === new Date(nowMs).toDateString()) return time;
  return `${date.toLocaleDateString(undefined, { day: 'numeric', month: 'short' })} ${time}`;
}

/** 1,234 in the browser's language. */
export const count = (value: number): string => value.toLocaleString();

export function bytes(value: number): string {
  if (value < 1_000_000) return `${Math.max(1, Math.round(value / 1000))} kB`;
  return value < 1e9 ? `${(value / 1e6).toFixed(1)} MB` : `${(value / 1e9).toFixed(2)} GB`;
}

/** The end of a text, cut at a word, for a line that shows what was said last. */
export function tail(text: string, maxChars: number): string {
  if (text.length <= maxChars) return text;
  const cut = text.slice(-maxChars);
  const space = cut.indexOf(' ');
  return `…${space < 0 ? cut : cut.slice(space)}`;
}

/** 97% sure; never 100, which nobody is. @param confidence 0 to 1 */
export const sureness = (confidence: number): string => `${Math.min(99, Math.round(confidence * 100))}% sure`;

interface SipAddress {
  readonly host: string;
  readonly port: number;
}

const ALL_ADDRESSES = new Set(['0.0.0.0', '::']);
const DEFAULT_SIP_PORT = 5060;
const bracketed = (host: string): string =>
  host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;

/** Where an SBC sends calls to. @param pageHost the name that the browser knows the machine by */
export const sipUri = ({ host, port }: SipAddress, pageHost: string): string =>
  `sip:${bracketed(ALL_ADDRESSES.has(host) ? pageHost : host)}:${port}`;

/** What places demo calls, on the machine that Earshot runs on. */
export function demoCommand(sip: SipAddress | null): string {
  const command = 'npm run demo -- --calls 2';
  if (sip === null || sip.port === DEFAULT_SIP_PORT) return command;
  const host = ALL_ADDRESSES.has(sip.host) ? '127.0.0.1' : sip.host;
  return `${command} --to ${bracketed(host)}:${sip.port}`;
}

const ROLE_NAMES: Readonly<Record<string, string>> = {
  agent: 'Agent',
  customer: 'Customer',
  mixed: 'Both parties',
  other: 'Third party',
  unknown: 'Speaker',
};

export const roleName = (role: string): string => ROLE_NAMES[role] ?? role;

interface Party {
  readonly role: string;
  readonly index: number;
  readonly participant: { readonly name: string | null; readonly aor: string | null };
}

/** The participant's name, else the user part of the address, else the role. */
export function partyName(party: Party): string {
  const { name, aor } = party.participant;
  if (name !== null && name.trim() !== '') return name;
  const user = aor === null ? undefined : /^(?:sips?|tel):([^@;]+)/i.exec(aor)?.[1];
  return user ?? `${roleName(party.role)}${party.role === 'unknown' ? ` ${party.index + 1}` : ''}`;
}
