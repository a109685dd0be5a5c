import type { Claim, Finding, Speaker, StreamFacts } from './invite.ts';

/**
 * Words that name a role in labels, names and addresses. Twilio's labels are seen from Twilio: `inbound` is what the
 * caller says, `outbound` what the caller hears.
 */
const HINTS: readonly (readonly [RegExp, Claim['role']])[] = [
  [/(^|[^a-z])(supervisor|monitor|coach|voicebot|chatbot|bot|ivr|moh|announcement)([^a-z]|$)/i, 'other'],
  [/(^|[^a-z])(agents?|operator|advis[eo]r|outbound)([^a-z]|$)/i, 'agent'],
  [/(^|[^a-z])(customers?|caller|client|inbound)([^a-z]|$)/i, 'customer'],
  [/(^|[^a-z])(mixed|conference)([^a-z]|$)/i, 'mixed'],
];

/** How sure each kind of hint is. A label is made for the purpose; a name may be anything ("Customer Service"). */
const WEIGHT = { label: 0.85, part: 0.8, aor: 0.6, name: 0.5 } as const;

const hint = (text: string | null | undefined): Claim['role'] | null =>
  text ? (HINTS.find(([pattern]) => pattern.test(text))?.[1] ?? null) : null;

function claim(text: string | null | undefined, weight: number, by: string): Claim[] {
  const role = hint(text);
  return role === null ? [] : [{ role, weight, by }];
}

/**
 * Most contact centres are called more than they call: too weak to decide alone, it tips the scale. What it is worth
 * stays below the least score that is told.
 */
const CALLER_WEIGHT = 0.2;

function callerClaims({ calling }: Speaker, certainty: number): Claim[] {
  if (calling === undefined) return [];
  const weight = CALLER_WEIGHT * certainty;
  return [
    calling
      ? { role: 'customer', weight, by: 'having called' }
      : { role: 'agent', weight, by: 'having been called' },
  ];
}

/** What the label of the stream says. */
export const labelClaims = (stream: StreamFacts): Claim[] =>
  claim(stream.label, WEIGHT.label, 'the label').filter(({ role }) => role !== 'mixed');

/** What the metadata's or the header's words for a lone speaker say, as far as it is sure that it is he. */
export function speakerClaims({ speakers, certainty }: Finding): Claim[] {
  const [speaker] = speakers;
  if (speaker === undefined || speakers.length > 1) return [];
  return [
    ...claim(wordOf(speaker), WEIGHT.part * certainty, 'the role that the metadata gives'),
    ...claim(speaker.name, WEIGHT.name * certainty, 'the name'),
    ...claim(userWords(speaker.aor), WEIGHT.aor * certainty, 'the address'),
    ...callerClaims(speaker, certainty),
  ].filter(({ role }) => role !== 'mixed');
}

/** `calling` and `called` are no roles: an agent may make the call. */
const wordOf = ({ part }: Speaker): string | null =>
  part === undefined || /^call(er|ing|ed|ee)/i.test(part) ? null : part;

/** The user part alone: a host such as agents.example.test names no person. */
const userWords = (aor: string | null): string | null =>
  aor?.replace(/@.*$/s, '').replace(/^sips?:/i, '') ?? null;
