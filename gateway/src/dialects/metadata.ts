import type { Participant } from '@earshot/contracts';

/** Fields that may be left out are not in the journals of older versions. */
export interface MetadataParticipant extends Participant {
  readonly id: string;
  /** Addresses of its further nameIDs. */
  readonly aliases?: readonly string[];
  /** Whether it made the call (Oracle's apkt:callingParty, a role of `calling`). */
  readonly calling?: boolean;
  /** What the device calls its part: `agent`, `calling`, … */
  readonly part?: string;
}

export interface MetadataStream {
  readonly id: string;
  /** As in the m-line's a=label; null where the device left it out. */
  readonly label: string | null;
  /** The device says that it carries everybody (`<mode>mixed</mode>` of the drafts). */
  readonly mixed?: boolean;
}

export interface Sends {
  readonly participantId: string;
  /** Empty: it sends nothing now (held, or left). */
  readonly streamIds: readonly string[];
}

/** A participant in one of the sessions that are recorded; null where the device does not say in which. */
export interface Membership {
  readonly participantId: string;
  readonly sessionId: string | null;
}

/** A vendor's own element: its local name in lower case, and the participant in which it stands. */
export interface Extension {
  readonly name: string;
  readonly value: string;
  readonly participantId: string | null;
}

/** What RFC 7865 metadata says of who speaks on which stream; near-dialects are read into the same form. */
export interface RecordingMetadata {
  readonly partial: boolean;
  /** Local name of the root element: `recording`, or BroadWorks' `recording_metadata`. */
  readonly root?: string;
  /** Namespace names in the order in which they are declared. */
  readonly namespaces?: readonly string[];
  readonly sessionIds: readonly string[];
  readonly sipSessionIds: readonly string[];
  readonly groupIds: readonly string[];
  /** Those who are there: who left is not in it. */
  readonly participants: readonly MetadataParticipant[];
  readonly streams: readonly MetadataStream[];
  /** Which streams each participant sends. Plain arrays: the journal keeps this as JSON. */
  readonly sends: readonly Sends[];
  /** Who is in which session: a transfer may end one and go on in another, with the same participants. */
  readonly joined?: readonly Membership[];
  /** What of that this document ends. */
  readonly ended?: readonly Membership[];
  readonly extensions?: readonly Extension[];
  /** What could not be understood; goes into a channel's evidence. */
  readonly notes: readonly string[];
}

/** Most participants, streams and the like that are kept. */
export const MAX_ITEMS = 64;

/**
 * What a later, partial document adds to or changes in what was known (RFC 7866 section 8). A complete one replaces. A
 * participant named again without name or address, as in Ribbon's BYE, keeps what it had.
 */
export function mergeMetadata(known: RecordingMetadata | null, news: RecordingMetadata): RecordingMetadata {
  if (known === null || !news.partial) return news;
  const joined = stillJoined([...(known.joined ?? []), ...(news.joined ?? [])], news.ended ?? []);
  const left = goneFrom(joined, news.ended ?? []);
  const here = <T>(items: readonly T[], id: (item: T) => string): T[] =>
    items.filter((item) => !left.has(id(item)));
  return {
    partial: true,
    root: known.root ?? news.root ?? '',
    namespaces: unique([...(known.namespaces ?? []), ...(news.namespaces ?? [])]),
    sessionIds: unique([...known.sessionIds, ...news.sessionIds]),
    sipSessionIds: unique([...known.sipSessionIds, ...news.sipSessionIds]),
    groupIds: unique([...known.groupIds, ...news.groupIds]),
    participants: here(
      merged(known.participants, news.participants, (item) => item.id, updatedParticipant),
      (item) => item.id,
    ),
    streams: merged(
      known.streams,
      news.streams,
      (item) => item.id,
      (old, now) => ({ ...old, ...now, label: now.label ?? old.label }),
    ),
    sends: here(
      merged(
        known.sends,
        news.sends,
        (item) => item.participantId,
        (_old, now) => now,
      ),
      (item) => item.participantId,
    ),
    joined,
    extensions: merged(
      known.extensions ?? [],
      news.extensions ?? [],
      (item) => `${item.participantId} ${item.name}`,
      (_old, now) => now,
    ),
    notes: unique([...known.notes, ...news.notes]),
  };
}

/** The memberships that are left when some end. One without a session stands for all. */
export const stillJoined = (joined: readonly Membership[], ended: readonly Membership[]): Membership[] => {
  const last = new Map(joined.map((each) => [`${each.participantId} ${each.sessionId}`, each]));
  return [...last.values()]
    .filter(
      (each) =>
        !ended.some(
          (end) =>
            end.participantId === each.participantId &&
            (end.sessionId === null || each.sessionId === null || end.sessionId === each.sessionId),
        ),
    )
    .slice(-MAX_ITEMS);
};

/** Who has left altogether: something of his ended, and he is in no other session. */
export const goneFrom = (joined: readonly Membership[], ended: readonly Membership[]): Set<string> =>
  new Set(
    ended
      .map(({ participantId }) => participantId)
      .filter((id) => !joined.some(({ participantId }) => participantId === id)),
  );

const updatedParticipant = (old: MetadataParticipant, now: MetadataParticipant): MetadataParticipant => ({
  ...old,
  ...now,
  aor: now.aor ?? old.aor,
  // A new address is a new party: the name of the old one would be wrong on it.
  name: now.name ?? (now.aor === null || now.aor === old.aor ? old.name : null),
});

/** Both lists by id, in the order of first mention; the oldest are dropped when there are too many. */
function merged<T>(
  older: readonly T[],
  newer: readonly T[],
  id: (item: T) => string,
  update: (old: T, now: T) => T,
): T[] {
  const items = new Map(older.map((item) => [id(item), item]));
  for (const item of newer) {
    const old = items.get(id(item));
    items.set(id(item), old === undefined ? item : update(old, item));
  }
  return [...items.values()].slice(-MAX_ITEMS);
}

/** The values that are there, each once, at most 64. */
export const unique = (values: readonly (string | null)[]): string[] =>
  [...new Set(values.filter((value): value is string => value !== null && value !== ''))].slice(0, MAX_ITEMS);
