import type { Speaker } from './invite.ts';

/** Who is an agent, as the operator configured it. */
export interface AgentRules {
  readonly numbers: readonly string[];
  readonly domains: readonly string[];
}

export const NO_RULES: AgentRules = { numbers: [], domains: [] };

/**
 * The user part of an address of record, `%` escapes and visual separators of numbers taken away; null without one. A
 * number in the place of the host is a user whose host was left out (BroadWorks).
 */
export function userOf(aor: string): string | null {
  const rest = aor.replace(/^[a-z][a-z0-9+.-]*:/i, '').split(/[;?]/)[0]!;
  const user = rest.includes('@')
    ? rest.slice(0, rest.lastIndexOf('@'))
    : /^tel:|^\w+:\+?\d+$/i.test(aor)
      ? rest
      : null;
  if (user === null) return null;
  const plain = decoded(user).split(':')[0]!;
  return /^\+?[\d\s().-]+$/.test(plain) ? plain.replace(/[\s().-]/g, '') : plain.toLowerCase();
}

/** The host of an address of record in lower case, without its port; null where there is none. */
function hostOf(aor: string): string | null {
  if (/^tel:/i.test(aor)) return null;
  const rest = aor.replace(/^[a-z][a-z0-9+.-]*:/i, '').split(/[;?]/)[0]!;
  const host = rest.slice(rest.lastIndexOf('@') + 1).replace(/:\d+$/, '');
  return host === '' ? null : host.toLowerCase();
}

/** Which setting makes the speaker an agent; null where none does. */
export function agentBy(speaker: Speaker, rules: AgentRules): 'AGENT_NUMBERS' | 'AGENT_DOMAINS' | null {
  const addresses = [speaker.aor, ...(speaker.aliases ?? [])].filter((aor) => aor !== null);
  const users = addresses.map(userOf).filter((user) => user !== null);
  if (rules.numbers.some((pattern) => users.some((user) => matchesNumber(user, pattern)))) {
    return 'AGENT_NUMBERS';
  }
  const hosts = addresses.map(hostOf).filter((host) => host !== null);
  const inDomain = (host: string, domain: string): boolean => host === domain || host.endsWith(`.${domain}`);
  return rules.domains.some((domain) => hosts.some((host) => inDomain(host, domain.toLowerCase())))
    ? 'AGENT_DOMAINS'
    : null;
}

/**
 * Whether a user part matches a pattern of AGENT_NUMBERS: `1xxx` (x is a digit), `+4989123*` (and anything behind it),
 * `agent*`. A pattern with + means the international number, whether it is written with + or with 00; one without it
 * takes a number with and without its +.
 */
function matchesNumber(user: string, pattern: string): boolean {
  const wanted = pattern.toLowerCase();
  const number = /^\+?[\dx]*\*?$/.test(wanted);
  const source = [...wanted]
    .map((char) =>
      char === '*' ? '.*' : number && char === 'x' ? '\\d' : char.replace(/[^a-z0-9]/g, '\\$&'),
    )
    .join('');
  const form = new RegExp(`^${source}$`);
  const forms = [
    user,
    user.replace(/^00/, '+'),
    ...(wanted.startsWith('+') ? [] : [user.replace(/^\+/, '')]),
  ];
  return forms.some((each) => form.test(each));
}

function decoded(user: string): string {
  try {
    return decodeURIComponent(user);
  } catch {
    // Not percent-encoded after all: a lone % is allowed nowhere and sent by some.
    return user;
  }
}
