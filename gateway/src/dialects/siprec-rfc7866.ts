import type { ChannelIdentity, Dialect, InviteHeaders, StreamFacts } from './invite.ts';
import type { MetadataParticipant, RecordingMetadata } from './metadata.ts';
import { completePair, roleFrom } from './roles.ts';

/**
 * SIPREC as RFC 7866 has it: SDP with labelled streams and a metadata part. Recognised by any one of its marks,
 * because devices leave some out (BroadWorks sends no Require).
 */
export const siprec: Dialect = {
  name: 'siprec-rfc7866',

  recognises(invite, hasMetadata) {
    return hasMetadata || requires(invite, 'siprec') || isRecordingClient(invite.header('contact') ?? '');
  },

  identify(_invite, streams, metadata) {
    const notes = metadata?.notes.map((note) => `note: ${note}`) ?? ['note: no metadata'];
    const channels = streams.map((stream, index) => identifyOne(stream, index, streams.length, metadata));
    return completePair(channels).map((channel) => ({
      ...channel,
      evidence: [...channel.evidence, ...notes].slice(0, 16),
    }));
  },
};

function identifyOne(
  stream: StreamFacts,
  index: number,
  count: number,
  metadata: RecordingMetadata | null,
): ChannelIdentity {
  const { speakers, how } = speakersOf(stream, index, count, metadata);
  if (speakers.length > 1) {
    return {
      role: 'mixed',
      participant: { name: null, aor: null },
      evidence: [`${how}: ${speakers.length} participants on one stream`],
    };
  }
  const speaker = speakers[0] ?? null;
  const evidence = speaker === null ? [] : [how];
  const hint = roleFrom([
    ['label', stream.label],
    ['metadata name', speaker?.name ?? null],
    ['metadata aor', speaker?.aor ?? null],
  ]);
  if (hint !== null) evidence.push(hint.evidence);
  const fallback = count === 1 && speaker === null ? 'mixed' : 'unknown';
  if (hint === null) evidence.push(`role ${fallback} by default`);
  return {
    role: hint?.role ?? fallback,
    participant: { name: speaker?.name ?? null, aor: speaker?.aor ?? null },
    evidence,
  };
}

/** The participants who send the stream: by label, else, where associations are missing (OpenSIPS), by order. */
function speakersOf(
  stream: StreamFacts,
  index: number,
  count: number,
  metadata: RecordingMetadata | null,
): { readonly speakers: readonly MetadataParticipant[]; readonly how: string } {
  if (metadata === null) return { speakers: [], how: 'no metadata' };
  const ids = metadata.streams
    .filter((known) => known.label !== null && known.label === stream.label)
    .map((known) => known.id);
  const senders = metadata.participants.filter((participant) =>
    metadata.sends.some(
      (entry) => entry.participantId === participant.id && entry.streamIds.some((id) => ids.includes(id)),
    ),
  );
  if (senders.length > 0) return { speakers: senders, how: 'metadata: sends the label' };
  if (metadata.sends.length > 0) return { speakers: [], how: 'metadata: nobody sends the label' };
  if (count === 1) return { speakers: metadata.participants, how: 'metadata: all participants' };
  const byOrder = metadata.participants.length === count ? metadata.participants[index] : undefined;
  return byOrder === undefined
    ? { speakers: [], how: 'metadata: no associations' }
    : { speakers: [byOrder], how: 'metadata: participant by order' };
}

const requires = (invite: InviteHeaders, option: string): boolean =>
  (invite.header('require') ?? '').split(',').some((token) => token.trim().toLowerCase() === option);

/** The Contact of a session recording client says `+sip.src` (RFC 7866 section 6.1.1); AudioCodes also a bare `;src`. */
const isRecordingClient = (contact: string): boolean => /;\s*(\+sip\.)?src\s*($|[;,=])/i.test(contact);
