import { EarshotError } from '@earshot/contracts';
import { readExtensions } from './extensions.ts';
import {
  goneFrom,
  MAX_ITEMS,
  type Membership,
  type MetadataParticipant,
  type MetadataStream,
  type RecordingMetadata,
  stillJoined,
  unique,
} from './metadata.ts';
import { parseNameAddr } from './name-addr.ts';
import { attribute, clip, descendants, type Element, parseXml, text } from './xml.ts';

/**
 * Reads recording metadata (RFC 7865). What is odd in it becomes a note: a call is worth more than its description.
 * Drafts before RFC 7865 say `id` for `participant_id` and put `send` into `participant` (AudioCodes, Oracle);
 * BroadWorks puts `aor` into an element, and the stream's id into one inside `send`.
 * @throws EarshotError METADATA_MALFORMED for what is refused: a DTD, entities, too much of anything, no XML at all
 */
export function parseMetadata(xml: string): RecordingMetadata {
  try {
    const { root, fault } = parseXml(xml);
    if (root === null) throw new Error(fault ?? 'there is no element');
    return readRoot(root, fault === null ? [] : [`metadata cannot be read to its end: ${fault}`]);
  } catch (error) {
    throw new EarshotError('METADATA_MALFORMED', `recording metadata: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function readRoot(root: Element, notes: string[]): RecordingMetadata {
  if (!/^recording(_?metadata)?$/i.test(root.name)) notes.push(`metadata root is ${clip(root.name)}`);
  const all = (name: string): Element[] => descendants(root, name).slice(0, MAX_ITEMS);
  const participants = new Map<string, MetadataParticipant>();
  const owners = new Map<Element, string>();
  const sends = new Map<string, string[]>();
  const ended: Membership[] = [];
  let joined: Membership[] = [];
  for (const [index, element] of all('participant').entries()) {
    // An association of some drafts names its participant in an element of that name, which describes nobody.
    if (element.attributes.size === 0 && element.children.length === 0) continue;
    const participant = readParticipant(element, index);
    participants.set(participant.id, participant);
    owners.set(element, participant.id);
    addSends(sends, participant.id, element);
    if (isOver(element)) ended.push({ participantId: participant.id, sessionId: null });
  }
  for (const element of all('participantsessionassoc')) {
    const participantId = participantOf(element);
    if (participantId === null) continue;
    const membership = { participantId, sessionId: attribute(element, 'session_id', 'session', 'sessionid') };
    const same = (each: Membership): boolean =>
      each.participantId === participantId && each.sessionId === membership.sessionId;
    // The last word on a pair counts: who is associated again is back.
    joined = joined.filter((each) => !same(each));
    if (ended.some(same)) ended.splice(ended.findIndex(same), 1);
    (isOver(element) ? ended : joined).push(membership);
  }
  joined = stillJoined(joined, ended);
  const left = goneFrom(joined, ended);
  for (const element of all('participantstreamassoc')) {
    const id = participantOf(element);
    if (id === null) notes.push('a participantstreamassoc names no participant');
    else if (isOver(element)) stopSending(sends, id, element);
    else addSends(sends, id, element);
  }
  const streams = new Map<string, MetadataStream>();
  for (const [index, element] of all('stream').entries()) {
    const stream = readStream(element, index);
    if (stream.label === null) notes.push('a stream has no label');
    streams.set(stream.id, stream);
  }
  const extensions = readExtensions(root, owners);
  return {
    partial: descendants(root, 'datamode')[0]?.text.toLowerCase() === 'partial',
    root: clip(root.name),
    namespaces: namespacesOf(root),
    sessionIds: unique(all('session').map((session) => attribute(session, 'session_id', 'id'))),
    sipSessionIds: unique(all('sipSessionID').map((element) => clip(element.text.replace(/\s+/g, '')))),
    groupIds: unique([
      ...all('group').map((group) => attribute(group, 'group_id', 'id')),
      ...all('group-ref').map((element) => clip(element.text)),
      ...all('group_id').map((element) => clip(element.text)),
    ]),
    participants: [...participants.values()]
      .filter(({ id }) => !left.has(id))
      .map((participant) => {
        const flag = extensions.find(
          ({ name, participantId }) => name === 'callingparty' && participantId === participant.id,
        );
        return flag === undefined ? participant : { ...participant, calling: /^true$/i.test(flag.value) };
      }),
    streams: [...streams.values()],
    sends: [...sends]
      .filter(([id]) => !left.has(id))
      .map(([participantId, streamIds]) => ({ participantId, streamIds })),
    joined,
    ended,
    extensions,
    notes: unique(notes),
  };
}

function readParticipant(element: Element, index: number): MetadataParticipant {
  const nameIds = descendants(element, 'nameID');
  const aors = unique(
    [
      ...nameIds.map((nameId) => attribute(nameId, 'aor', 'uri')),
      ...descendants(element, 'aor').map((aor) => text(aor)),
      attribute(element, 'aor'),
    ].map(addressOf),
  );
  const names = [
    ...descendants(element, 'name').map((name) => text(name)),
    ...nameIds.map((nameId) => attribute(nameId, 'name')),
    attribute(element, 'name'),
  ].map(nameOf);
  const part = text(element.children.find(({ name }) => name === 'role')) ?? attribute(element, 'role');
  return {
    id: attribute(element, 'participant_id', 'id', 'participantid') ?? `participant ${index}`,
    name: names.find((name) => name !== null) ?? null,
    aor: aors[0] ?? null,
    ...(aors.length > 1 ? { aliases: aors.slice(1, 8) } : {}),
    ...(part === null ? {} : { part, calling: /calling|caller|originat/i.test(part) }),
  };
}

/** AudioCodes and Ribbon leave the scheme out; some write a whole name-addr. */
function addressOf(value: string | null): string | null {
  const aor = value?.includes('<') === true ? parseNameAddr(value).aor : (value?.trim() ?? null);
  if (aor === null || aor === '') return null;
  return /^(sips?|tel|urn|im|pres|xmpp|mailto|https?):/i.test(aor) ? aor : `sip:${aor}`;
}

/** Oracle passes on the quotes of a display name. */
const nameOf = (value: string | null): string | null => value?.replace(/^"(.*)"$/s, '$1').trim() || null;

const readStream = (element: Element, index: number): MetadataStream => ({
  id: attribute(element, 'stream_id', 'id', 'streamid') ?? `stream ${index}`,
  label: text(descendants(element, 'label')[0]) ?? attribute(element, 'label'),
  ...(/^mixed$/i.test(descendants(element, 'mode')[0]?.text ?? attribute(element, 'mode') ?? '')
    ? { mixed: true }
    : {}),
});

const participantOf = (element: Element): string | null =>
  attribute(element, 'participant_id', 'participant', 'id', 'participantid') ??
  text(descendants(element, 'participant')[0]);

/** Ids of the streams in `send`: its text, or an element or attribute inside it. */
const sentBy = (element: Element): string[] =>
  element.children
    .filter((child) => child.name.toLowerCase() === 'send')
    .map((child) => text(child) ?? text(descendants(child, 'id')[0]) ?? attribute(child, 'stream_id', 'id'))
    .filter((id) => id !== null);

function addSends(sends: Map<string, string[]>, participant: string, element: Element): void {
  const streams = sentBy(element);
  // An association that is there and empty says that nothing is sent now (CUBE on hold).
  if (streams.length === 0 && element.name.toLowerCase() === 'participant') return;
  sends.set(participant, unique([...(sends.get(participant) ?? []), ...streams]));
}

function stopSending(sends: Map<string, string[]>, participant: string, element: Element): void {
  const stopped = sentBy(element);
  const before = sends.get(participant) ?? [];
  sends.set(participant, stopped.length === 0 ? [] : before.filter((id) => !stopped.includes(id)));
}

/**
 * Whether the element says that its association is over. Devices without a clock write times of 1970, some as a filler
 * for no time at all: the very first day is none. Who is associated again later is back.
 */
function isOver(element: Element): boolean {
  const last = (name: string): string | null =>
    text(element.children.filter((child) => child.name.toLowerCase() === name).at(-1));
  const until = last('disassociate-time');
  if (until === null || until.startsWith('1970-01-01')) return false;
  const since = Date.parse(last('associate-time') ?? '');
  const over = Date.parse(until);
  return Number.isNaN(since) || Number.isNaN(over) || since <= over;
}

function namespacesOf(root: Element): string[] {
  const found: string[] = [];
  const visit = (element: Element): void => {
    for (const [name, value] of element.attributes) if (name.startsWith('xmlns')) found.push(clip(value));
    for (const child of element.children) visit(child);
  };
  visit(root);
  return unique(found).slice(0, 16);
}
