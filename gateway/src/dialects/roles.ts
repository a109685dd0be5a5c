import type { ChannelIdentity } from './invite.ts';

type Role = ChannelIdentity['role'];

/** Twilio's labels are seen from Twilio: `inbound` is what the caller says, `outbound` what the caller hears. */
const HINTS: readonly (readonly [RegExp, Role])[] = [
  [/(^|[^a-z])(agents?|operator|advis[eo]r|outbound)([^a-z]|$)/i, 'agent'],
  [/(^|[^a-z])(customers?|caller|client|inbound)([^a-z]|$)/i, 'customer'],
];

/** The role that a text hints at, or null. */
export function roleHint(text: string): Role | null {
  for (const [pattern, role] of HINTS) if (pattern.test(text)) return role;
  return null;
}

/** The first hint among named texts, most telling first, and what it rests on. */
export function roleFrom(
  texts: readonly (readonly [name: string, text: string | null])[],
): { readonly role: Role; readonly evidence: string } | null {
  for (const [name, text] of texts) {
    const role = text === null ? null : roleHint(text);
    if (role !== null) return { role, evidence: `role by ${name}` };
  }
  return null;
}

/** With two channels, one of them known: the other is the other party. */
export function completePair(channels: readonly ChannelIdentity[]): ChannelIdentity[] {
  if (channels.length !== 2) return [...channels];
  return channels.map((channel, index) => {
    const other = channels[1 - index]!;
    if (channel.role !== 'unknown' || (other.role !== 'agent' && other.role !== 'customer')) return channel;
    return {
      ...channel,
      role: other.role === 'agent' ? 'customer' : 'agent',
      evidence: [...channel.evidence, `role because the other channel is the ${other.role}`],
    };
  });
}
