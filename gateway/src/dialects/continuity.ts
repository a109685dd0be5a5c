import type { ChannelInfo } from '@earshot/contracts';
import type { ChannelIdentity } from './invite.ts';
import type { RecordingMetadata } from './metadata.ts';

/** What a channel says of its party. */
export type PartyFacts = Pick<ChannelInfo, 'role' | 'participant' | 'participants' | 'score' | 'evidence'>;

/**
 * What a channel is to say once it is described anew, in the middle of a call. What was known is not forgotten because a
 * party is held or has hung up, and not traded for a guess as long as that party is still among the participants; what is
 * said of somebody new counts.
 */
export function continued(
  { known, ...news }: ChannelIdentity,
  before: PartyFacts | undefined,
  metadata: RecordingMetadata | null,
): PartyFacts {
  if (before === undefined) return news;
  const named = news.participant.name !== null || news.participant.aor !== null;
  const { aor, name } = before.participant;
  if (aor === null && name === null) return named || news.score >= (before.score ?? 0) ? news : before;
  if (news.role === 'mixed' && known === 'said') return news;
  if (!named || known === 'no') return before;
  const stillThere = metadata?.participants.some((each) => each.aor === aor) === true;
  return known === 'guessed' && stillThere ? before : news;
}
