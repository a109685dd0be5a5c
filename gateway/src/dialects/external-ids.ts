import type { InviteHeaders } from './invite.ts';
import type { RecordingMetadata } from './metadata.ts';

const MAX_ENTRIES = 32;
const MAX_VALUE_BYTES = 256;
/** RFC 7989 section 5: the nil UUID stands for a side whose identifier is not known. */
const NIL_UUID = '0'.repeat(32);
const REMOTE = /;\s*remote\s*=\s*([0-9a-f]{32})(?![0-9a-f])/i;
const X_HEADER = /^x-.*(id|call|ucid|session|conversation)/;

/**
 * What the contact centre knows the call by, under lower-case names: Session-ID (RFC 7989), User-to-User with Avaya's
 * UCID taken out of it, X- headers that look like ids, and the ids of the metadata. The first value of a name stays.
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
  add('metadata-session-id', metadata?.sessionIds[0]);
  add('metadata-sip-session-id', withoutUnknownRemote(metadata?.sipSessionIds[0]));
  add('metadata-group-id', metadata?.groupIds[0]);
  for (const [name, value] of invite.entries()) if (X_HEADER.test(name)) add(name.slice(0, 64), value);
  return Object.fromEntries(ids);
}

/** A sipSessionID of the metadata, without a remote part that says nothing. */
const withoutUnknownRemote = (session: string | undefined): string | undefined =>
  session?.replace(REMOTE, (part, remote: string) => (remote === NIL_UUID ? '' : part));

/**
 * Avaya's universal call id: in User-to-User data the element FA 08 and 8 octets, written as node (5 digits), sequence
 * (5) and seconds (10).
 */
function ucidOf(userToUser: string): string | null {
  const octets = /^\s*([0-9a-f]+)/i.exec(userToUser)?.[1] ?? '';
  // The protocol discriminator is the first octet; elements of tag, length and value follow.
  for (let at = 2; at + 4 <= octets.length;) {
    const length = Number.parseInt(octets.slice(at + 2, at + 4), 16);
    const value = octets.slice(at + 4, at + 4 + length * 2);
    if (octets.slice(at, at + 2).toUpperCase() === 'FA' && length === 8 && value.length === 16) {
      const part = (from: number, to: number, digits: number): string =>
        String(Number.parseInt(value.slice(from, to), 16)).padStart(digits, '0');
      return part(0, 4, 5) + part(4, 8, 5) + part(8, 16, 10);
    }
    at += 4 + length * 2;
  }
  return null;
}

function clipBytes(value: string): string {
  if (Buffer.byteLength(value) <= MAX_VALUE_BYTES) return value;
  // A cut inside a character leaves a replacement character at the end.
  return Buffer.from(value)
    .subarray(0, MAX_VALUE_BYTES)
    .toString('utf8')
    .replace(/\uFFFD+$/, '');
}
