import type { InviteHeaders } from './invite.ts';
import type { RecordingMetadata } from './metadata.ts';
import { uriParameters } from './name-addr.ts';
import { ucidOf } from './ucid.ts';

const MAX_ENTRIES = 32;
const MAX_VALUE_BYTES = 256;
/** RFC 7989 section 5: the nil UUID stands for a side whose identifier is not known. */
const NIL_UUID = '0'.repeat(32);
const REMOTE = /;\s*remote\s*=\s*([0-9a-f]{32})(?![0-9a-f])/i;
/** Vendors' headers that name a call: X-Genesys-CallUUID, X-BroadWorks-…-ID, Cisco-Guid, P-OCSBC-UCID. */
const ID_HEADER =
  /^(x-.*(id|call|ucid|guid|session|conversation|interaction)|cisco-gu(c?i)d|p-.*ucid|av-global-session-id)/;
/** Texts of the metadata that name a call, under the names that their devices give them. */
const ID_EXTENSION =
  /^(?!user|group|serviceprovider|account)[\w.-]*(ucid|uuid|guid|gcid|call-?id|callsid|trackingid|(session|conversation|interaction|recording|contact)-?id)$/;
/** Parameters of the From URI by which Cisco's built-in bridge names the call's parts. */
const BRIDGE = ['x-refci', 'x-nearendrefci', 'x-farendrefci', 'x-nearendguid', 'x-farendguid', 'x-sessionid'];
/** Where the same id comes by a header or by the metadata, it has the header's name. */
const SAME_AS: Readonly<Record<string, string>> = { genesysuuid: 'x-genesys-calluuid' };

/**
 * What the contact centre knows the call by, under lower-case names: Session-ID (RFC 7989), User-to-User with Avaya's
 * UCID taken out of it, vendors' headers that look like ids, Cisco's references, and the ids of the metadata, of its
 * extensions too. The first value of a name stays.
 */
export function externalIds(
  invite: InviteHeaders,
  metadata: RecordingMetadata | null,
): Record<string, string> {
  const ids = new Map<string, string>();
  const add = (name: string, value: string | null | undefined): void => {
    const clean = value?.trim() ?? '';
    if (clean === '' || ids.size >= MAX_ENTRIES || ids.has(name)) return;
    ids.set(name, clipBytes(clean));
  };
  const session = invite.header('session-id');
  if (session !== null) {
    add('session-id', session.split(';')[0]);
    const remote = REMOTE.exec(session)?.[1];
    if (remote !== NIL_UUID) add('session-id-remote', remote);
  }
  const userToUser = invite.header('user-to-user');
  add('user-to-user', userToUser);
  if (userToUser !== null) add('ucid', ucidOf(userToUser));
  const { parameters } = uriParameters(invite.header('from') ?? '');
  for (const name of BRIDGE) add(name, parameters.get(name));
  for (const [name, value] of invite.entries()) {
    if (ID_HEADER.test(name)) add(name.slice(0, 64), value);
  }
  add('metadata-session-id', metadata?.sessionIds[0]);
  add('metadata-sip-session-id', withoutUnknownRemote(metadata?.sipSessionIds[0]));
  add('metadata-group-id', metadata?.groupIds[0]);
  for (const { name, value } of metadata?.extensions ?? []) {
    // Oracle and AudioCodes pass on what User-to-User said; Avaya's own metadata is named after it.
    if (name.endsWith('ucid')) add('ucid', ucidOf(value) ?? value);
    else if (ID_EXTENSION.test(name)) add(SAME_AS[name] ?? `metadata-${name}`, value);
  }
  add('ucid', ucidOf(metadata?.sessionIds[0] ?? '', true));
  return Object.fromEntries(ids);
}

/** What was known with what a later request adds to it; what was known stays. */
export function moreIds(
  known: Readonly<Record<string, string>>,
  invite: InviteHeaders,
  metadata: RecordingMetadata | null,
): Record<string, string> {
  const news = Object.entries(externalIds(invite, metadata)).filter(([name]) => !(name in known));
  return Object.fromEntries([...Object.entries(known), ...news].slice(0, MAX_ENTRIES));
}

/** A sipSessionID of the metadata, without a remote part that says nothing. */
const withoutUnknownRemote = (session: string | undefined): string | undefined =>
  session?.replace(REMOTE, (part, remote: string) => (remote === NIL_UUID ? '' : part));

function clipBytes(value: string): string {
  if (Buffer.byteLength(value) <= MAX_VALUE_BYTES) return value;
  // A cut inside a character leaves a replacement character at the end.
  return Buffer.from(value)
    .subarray(0, MAX_VALUE_BYTES)
    .toString('utf8')
    .replace(/\uFFFD+$/, '');
}
