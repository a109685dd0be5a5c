import type { Finding, StreamFacts } from './invite.ts';
import type { MetadataStream, RecordingMetadata } from './metadata.ts';

/** How sure a way of telling who speaks is. */
const CERTAINTY = { sends: 0.95, alone: 0.9, place: 0.8, elimination: 0.8, order: 0.6 } as const;
/** From here on it is said, below it is a guess. */
export const SAID_FROM = 0.7;

type Who = Pick<Finding, 'speakers' | 'certainty' | 'how'> & { readonly mixed?: boolean };
const nobody = (how: string): Who => ({ speakers: [], certainty: 0, how });

/**
 * Who is on each stream, as the metadata tells it: who sends the stream of that label; else who is left when everybody
 * else is placed; else, where associations are missing (OpenSIPS, CUBE on hold), by order.
 */
export function findByMetadata(
  streams: readonly StreamFacts[],
  metadata: RecordingMetadata | null,
): readonly Finding[] {
  const described = streams.map((_stream, index) => describedStream(streams, index, metadata));
  const told = streams.map((_stream, index) => tell(streams, index, described[index]!, metadata));
  const placed = new Set(told.flatMap(({ speakers }) => speakers));
  const left = metadata?.participants.filter((participant) => !placed.has(participant));
  const open = told.filter(({ speakers, mixed }) => speakers.length === 0 && mixed !== true);
  // Participants are in the order of the metadata's streams, where each m-line has its one.
  const places = described.every(({ length }) => length === 1)
    ? described.map(([stream]) => metadata!.streams.indexOf(stream!))
    : null;
  return told.map((who, index) => {
    const decided =
      who.speakers.length > 0 || who.mixed === true
        ? who
        : placed.size > 0 && open.length === 1 && left?.length === 1
          ? { speakers: left, certainty: CERTAINTY.elimination, how: 'metadata: the only one left' }
          : placed.size === 0
            ? byOrder(places?.[index] ?? index, streams.length, metadata)
            : who;
    return { ...decided, claims: [] };
  });
}

/** The metadata's stream of an m-line: by its label, else, where labels do not meet at all, by place. */
function describedStream(
  streams: readonly StreamFacts[],
  index: number,
  metadata: RecordingMetadata | null,
): readonly MetadataStream[] {
  const known = metadata?.streams ?? [];
  const labelled = known.filter(({ label }) => label !== null && label === streams[index]!.label);
  if (labelled.length > 0) return labelled;
  const meet = streams.some((stream) => known.some(({ label }) => label !== null && label === stream.label));
  // BroadWorks labels the lone m-line 5 and the stream 1; others leave the labels out.
  return !meet && known.length === streams.length ? [known[index]!] : [];
}

function tell(
  streams: readonly StreamFacts[],
  index: number,
  described: readonly MetadataStream[],
  metadata: RecordingMetadata | null,
): Who {
  if (metadata === null) return nobody('no metadata');
  const stream = streams[index]!;
  const ids = described.map(({ id }) => id);
  const speakers = metadata.participants.filter((participant) =>
    metadata.sends.some(
      (entry) => entry.participantId === participant.id && entry.streamIds.some((id) => ids.includes(id)),
    ),
  );
  if (speakers.length > 0) {
    return described.some(({ label }) => label !== null && label === stream.label)
      ? { speakers, certainty: CERTAINTY.sends, how: 'metadata: sends the label' }
      : { speakers, certainty: CERTAINTY.place, how: 'metadata: sends the stream in this place' };
  }
  if (described.some(({ mixed }) => mixed === true)) {
    return { ...nobody('metadata: the stream is mixed'), certainty: CERTAINTY.alone, mixed: true };
  }
  if (streams.length === 1 && metadata.participants.length > 0) {
    return {
      speakers: metadata.participants,
      certainty: CERTAINTY.alone,
      how: 'metadata: all participants, on the only stream',
    };
  }
  return nobody('metadata: nobody sends the label');
}

function byOrder(place: number, count: number, metadata: RecordingMetadata | null): Who {
  if (metadata === null) return nobody('no metadata');
  const participant = metadata.participants.length === count ? metadata.participants[place] : undefined;
  return participant === undefined
    ? nobody('metadata: nobody sends the label')
    : { speakers: [participant], certainty: CERTAINTY.order, how: 'metadata: participant by order' };
}
