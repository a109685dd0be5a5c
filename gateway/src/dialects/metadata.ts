import { EarshotError, type Participant } from '@earshot/contracts';
import { descendants, type Element, parseXml } from './xml.ts';

export interface MetadataParticipant extends Participant {
  readonly id: string;
}

export interface MetadataStream {
  readonly id: string;
  /** As in the m-line's a=label; null where the device left it out. */
  readonly label: string | null;
}

export interface Sends {
  readonly participantId: string;
  readonly streamIds: readonly string[];
}

/** What RFC 7865 metadata says of who speaks on which stream; near-dialects are read into the same form. */
export interface RecordingMetadata {
  readonly partial: boolean;
  readonly sessionIds: readonly string[];
  readonly sipSessionIds: readonly string[];
  readonly groupIds: readonly string[];
  readonly participants: readonly MetadataParticipant[];
  readonly streams: readonly MetadataStream[];
  /** Which streams each participant sends. Plain arrays: the journal keeps this as JSON. */
  readonly sends: readonly Sends[];
  /** What could not be understood; goes into a channel's evidence. */
  readonly notes: readonly string[];
}

const MAX_ITEMS = 64;
const MAX_TEXT_CHARS = 256;

/**
 * Reads recording metadata. Only XML that cannot be parsed is an error: what is odd inside it becomes a note.
 * Drafts before RFC 7865 say `id` for `participant_id` and put `send` into `participant` (AudioCodes, Oracle);
 * BroadWorks puts `aor` into an element.
 * @throws EarshotError METADATA_MALFORMED
 */
export function parseMetadata(xml: string): RecordingMetadata {
  let root: Element;
  try {
    root = parseXml(xml);
  } catch (error) {
    throw new EarshotError('METADATA_MALFORMED', `recording metadata: ${(error as Error).message}`, {
      cause: error,
    });
  }
  const notes: string[] = [];
  if (!/^recording(_?metadata)?$/i.test(root.name)) notes.push(`metadata root is ${clip(root.name)}`);
  const dataMode = descendants(root, 'datamode')[0]?.text.toLowerCase();
  const participants = new Map<string, MetadataParticipant>();
  const sends = new Map<string, string[]>();
  for (const [index, element] of descendants(root, 'participant').slice(0, MAX_ITEMS).entries()) {
    const participant = readParticipant(element, index);
    participants.set(participant.id, participant);
    addSends(sends, participant.id, element);
  }
  for (const element of descendants(root, 'participantstreamassoc').slice(0, MAX_ITEMS)) {
    const id = attribute(element, 'participant_id', 'participant', 'id');
    if (id === null) notes.push('a participantstreamassoc names no participant');
    else if (ended(element)) sends.delete(id);
    else addSends(sends, id, element);
  }
  for (const element of descendants(root, 'participantsessionassoc').slice(0, MAX_ITEMS)) {
    const id = attribute(element, 'participant_id', 'participant', 'id');
    if (id !== null && ended(element)) sends.delete(id);
  }
  const streams = new Map<string, MetadataStream>();
  for (const [index, element] of descendants(root, 'stream').slice(0, MAX_ITEMS).entries()) {
    const stream = readStream(element, index);
    if (stream.label === null) notes.push('a stream has no label');
    streams.set(stream.id, stream);
  }
  const sessions = descendants(root, 'session');
  return {
    partial: dataMode === 'partial',
    sessionIds: unique(sessions.map((session) => attribute(session, 'session_id', 'id'))),
    sipSessionIds: unique(descendants(root, 'sipSessionID').map((element) => element.text)),
    groupIds: unique([
      ...descendants(root, 'group').map((group) => attribute(group, 'group_id', 'id')),
      ...descendants(root, 'group-ref').map((element) => element.text),
      ...descendants(root, 'group_id').map((element) => element.text),
    ]),
    participants: [...participants.values()],
    streams: [...streams.values()],
    sends: [...sends].map(([participantId, streamIds]) => ({ participantId, streamIds })),
    notes,
  };
}

/** What a later, partial document adds to or changes in what was known (RFC 7866 section 8). A complete one replaces. */
export function mergeMetadata(known: RecordingMetadata | null, news: RecordingMetadata): RecordingMetadata {
  if (known === null || !news.partial) return news;
  const byId = <T extends { readonly id: string }>(older: readonly T[], newer: readonly T[]): T[] => [
    ...new Map([...older, ...newer].map((item) => [item.id, item])).values(),
  ];
  return {
    partial: true,
    sessionIds: unique([...known.sessionIds, ...news.sessionIds]),
    sipSessionIds: unique([...known.sipSessionIds, ...news.sipSessionIds]),
    groupIds: unique([...known.groupIds, ...news.groupIds]),
    participants: byId(known.participants, news.participants).slice(0, MAX_ITEMS),
    streams: byId(known.streams, news.streams).slice(0, MAX_ITEMS),
    sends: [
      ...new Map([...known.sends, ...news.sends].map((entry) => [entry.participantId, entry])).values(),
    ].slice(0, MAX_ITEMS),
    notes: unique([...known.notes, ...news.notes]),
  };
}

function readParticipant(element: Element, index: number): MetadataParticipant {
  const nameId = descendants(element, 'nameID')[0] ?? descendants(element, 'nameId')[0];
  const aor =
    (nameId === undefined ? null : attribute(nameId, 'aor')) ??
    text(descendants(element, 'aor')[0]) ??
    attribute(element, 'aor');
  return {
    id: attribute(element, 'participant_id', 'id') ?? `participant ${index}`,
    name: text(descendants(element, 'name')[0]),
    // AudioCodes leaves the scheme out.
    aor: aor === null || /^[a-z][a-z0-9+.-]*:/i.test(aor) ? aor : `sip:${aor}`,
  };
}

const readStream = (element: Element, index: number): MetadataStream => ({
  id: attribute(element, 'stream_id', 'id') ?? `stream ${index}`,
  label: text(descendants(element, 'label')[0]) ?? attribute(element, 'label'),
});

function addSends(sends: Map<string, string[]>, participant: string, element: Element): void {
  const streams = element.children
    .filter((child) => child.name.toLowerCase() === 'send')
    .map((child) => text(child) ?? attribute(child, 'stream_id', 'id'))
    .filter((id) => id !== null);
  if (streams.length === 0) return;
  const known = sends.get(participant) ?? [];
  sends.set(participant, unique([...known, ...streams]));
}

const ended = (element: Element): boolean => descendants(element, 'disassociate-time').length > 0;

function attribute(element: Element, ...names: string[]): string | null {
  for (const name of names) {
    const value = element.attributes.get(name)?.trim();
    // Avaya sends stream_id="".
    if (value !== undefined && value !== '') return clip(value);
  }
  return null;
}

/** Null for no element and for an empty text: Ribbon sends a name of one space. */
const text = (element: Element | undefined): string | null =>
  element === undefined || element.text === '' ? null : clip(element.text);

const clip = (value: string): string => value.slice(0, MAX_TEXT_CHARS);

const unique = (values: readonly (string | null)[]): string[] =>
  [...new Set(values.filter((value): value is string => value !== null && value !== ''))].slice(0, MAX_ITEMS);
