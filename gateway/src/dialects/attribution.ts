import type { Participant, Role } from '@earshot/contracts';
import { type AgentRules, agentBy, userOf } from './agent-rules.ts';
import type { ChannelIdentity, Claim, Finding, Speaker, StreamFacts } from './invite.ts';
import { labelClaims, speakerClaims } from './roles.ts';
import { SAID_FROM } from './speakers.ts';

/** What the operator configured outweighs everything a device says. */
const RULE_WEIGHT = 0.98;
/** What a rule says holds, at this score at least, whatever else is said. */
const RULE_SCORE = 0.5;
/** Somebody who talks with agents only, where it is configured who they are. */
const NO_AGENT_WEIGHT = 0.9;
/** A short internal number talks with a long external one. */
const PLAN_WEIGHT = 0.5;
/** The other party of two is the other role. */
const OTHER_CHANNEL = 0.9;
/** A role that is less sure than this is not told. */
const LEAST_SCORE = 0.25;
/** Nothing is known of a lone stream: it most likely carries everybody. */
const LONE_STREAM_WEIGHT = 0.5;
const MAX_EVIDENCE = 16;
const MAX_PARTICIPANTS = 16;

/**
 * The role of each channel, with a score and what it rests on. Claims for the same role add up as independent witnesses
 * do, 1 − Π(1 − weight); what speaks for another role takes from the score, × (1 − support of the runner-up). With two
 * parties, the one who is less sure is made the opposite of the other, unless a configured rule names him.
 */
export function attribute(
  streams: readonly StreamFacts[],
  findings: readonly Finding[],
  rules: AgentRules,
  notes: readonly string[],
): ChannelIdentity[] {
  const ruled = ruleClaims(findings, rules);
  const planned = planClaims(findings);
  const claims = findings.map((finding, index) => {
    if (isMixed(finding)) return [mixedClaim(finding)];
    const own = [
      ...ruled[index]!,
      ...labelClaims(streams[index]!),
      ...finding.claims,
      ...speakerClaims(finding),
      ...planned[index]!,
    ];
    return own.length === 0 && streams.length === 1 && finding.speakers.length === 0
      ? [{ role: 'mixed' as const, weight: LONE_STREAM_WEIGHT, by: 'default: one stream' }]
      : own;
  });
  const paired = withOther(findings, claims);
  return findings.map((finding, index) => identity(finding, paired[index]!, claims[index]!, notes));
}

const isMixed = ({ speakers, mixed }: Finding): boolean => mixed === true || speakers.length > 1;

const mixedClaim = ({ speakers, certainty, how }: Finding): Claim => ({
  role: 'mixed',
  weight: certainty,
  by: speakers.length > 1 ? `${speakers.length} participants on one stream` : how,
});

function ruleClaims(findings: readonly Finding[], rules: AgentRules): Claim[][] {
  const by = findings.map(({ speakers }) => (speakers.length === 1 ? agentBy(speakers[0]!, rules) : null));
  const others = findings.filter((finding, index) => finding.speakers.length === 1 && by[index] === null);
  const onlyOther = others.length === 1 && by.some((setting) => setting !== null) ? others[0] : null;
  return findings.map((finding, index): Claim[] => {
    const setting = by[index];
    if (setting) return [{ role: 'agent', weight: RULE_WEIGHT, by: setting }];
    return finding === onlyOther
      ? [
          {
            role: 'customer',
            weight: NO_AGENT_WEIGHT,
            by: 'AGENT_NUMBERS and AGENT_DOMAINS, who name only the others',
          },
        ]
      : [];
  });
}

/** Two parties, one of them with an internal number of 2 to 6 digits and the other with one of 7 or more. */
function planClaims(findings: readonly Finding[]): Claim[][] {
  const lengths = findings.map(({ speakers }) => {
    const user = speakers.length === 1 && speakers[0]!.aor !== null ? userOf(speakers[0]!.aor) : null;
    if (user === null || !/^\+?\d{2,15}$/.test(user)) return null;
    return user.startsWith('+') || user.length >= 7 ? 'external' : 'internal';
  });
  const known = lengths.filter((length) => length !== null);
  const apart = known.length === 2 && known[0] !== known[1];
  return findings.map((finding, index): Claim[] => {
    const length = lengths[index];
    if (!apart || !length) return [];
    const weight = PLAN_WEIGHT * finding.certainty;
    return length === 'internal'
      ? [{ role: 'agent', weight, by: 'the number plan: an internal number' }]
      : [{ role: 'customer', weight, by: 'the number plan: an external number' }];
  });
}

const isRule = ({ by }: Claim): boolean => by.startsWith('AGENT_');

/** The claims with what the other party of two adds. */
function withOther(findings: readonly Finding[], claims: readonly Claim[][]): Claim[][] {
  const parties = findings.map((_finding, index) => index).filter((index) => !isMixed(findings[index]!));
  if (parties.length !== 2) return [...claims];
  return claims.map((own, index) => {
    const otherIndex = parties.find((party) => party !== index);
    if (!parties.includes(index) || otherIndex === undefined) return own;
    const mine = weigh(own);
    const other = weigh(claims[otherIndex]!);
    if (own.some(isRule) || mine.score >= other.score) return own;
    if (other.role !== 'agent' && other.role !== 'customer') return own;
    const role = other.role === 'agent' ? ('customer' as const) : ('agent' as const);
    return [
      ...own,
      { role, weight: OTHER_CHANNEL * other.score, by: `the other channel, the ${other.role}` },
    ];
  });
}

/** @returns the role that most speaks for, and how sure it is, 0 to 1 */
function weigh(claims: readonly Claim[]): { readonly role: Role; readonly score: number } {
  const doubt = new Map<Role, number>();
  for (const { role, weight } of claims) doubt.set(role, (doubt.get(role) ?? 1) * (1 - weight));
  const support = [...doubt].map(([role, rest]) => ({ role, support: 1 - rest }));
  support.sort((a, b) => b.support - a.support);
  const [first, second] = support;
  if (first === undefined) return { role: 'unknown', score: 0 };
  const score = first.support * (1 - (second?.support ?? 0));
  const ruled = claims.some((claim) => claim.role === first.role && isRule(claim));
  return { role: first.role, score: ruled ? Math.max(score, RULE_SCORE) : score };
}

function identity(
  finding: Finding,
  claims: readonly Claim[],
  own: readonly Claim[],
  notes: readonly string[],
): ChannelIdentity {
  const { role, score } = weigh(claims);
  const told = score >= LEAST_SCORE;
  const { speakers, certainty, how } = finding;
  const speaker = speakers.length === 1 ? speakers[0]! : null;
  const evidence = [
    ...(speakers.length > 0 ? [`party by ${how} (${rounded(certainty)})`] : []),
    ...claims.map((claim) => `${claim.role} by ${claim.by} (${rounded(claim.weight)})`),
    ...(told
      ? []
      : [claims.length === 0 ? 'role unknown by default' : 'role unknown: what speaks for it is too weak']),
    ...notes.map((note) => `note: ${note}`),
  ];
  const said = speakers.length > 0 ? certainty >= SAID_FROM : own.some(({ by }) => !by.startsWith('default'));
  return {
    role: told ? role : 'unknown',
    participant: partyOf(speaker),
    ...(speakers.length > 1 ? { participants: speakers.slice(0, MAX_PARTICIPANTS).map(partyOf) } : {}),
    score: told ? rounded(score) : 0,
    evidence: evidence.slice(0, MAX_EVIDENCE),
    known: said ? 'said' : speakers.length > 0 ? 'guessed' : 'no',
  };
}

const partyOf = (speaker: Speaker | null): Participant => ({
  name: speaker?.name ?? null,
  aor: speaker?.aor ?? null,
});

const rounded = (value: number): number => Math.round(value * 100) / 100;
