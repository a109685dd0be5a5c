import type { Participant } from '@earshot/contracts';
import type { Dialect, Finding, InviteHeaders } from './invite.ts';
import { parseNameAddr } from './name-addr.ts';

const PARTICIPANT = 'x-cisco-recording-participant';

/**
 * Cisco's network-based recording: CUBE forks by order of CUCM, in plain SDP. `X-Cisco-Recording-Participant` names the
 * party of each stream by its index; 0 is usually the called party, 1 the calling one.
 */
export const ciscoNbr: Dialect = {
  name: 'cisco-nbr',
  recognises: ({ invite, metadata }) => metadata === null && invite.header(PARTICIPANT) !== null,
  find(invite, streams) {
    const parties = participants(invite);
    if (streams.length === 1 && parties.size > 1) {
      return [{ speakers: [...parties.values()], certainty: 0.9, how: PARTICIPANT, claims: [] }];
    }
    return streams.map((_stream, index): Finding => {
      const party = parties.get(index);
      return { speakers: party === undefined ? [] : [party], certainty: 0.9, how: PARTICIPANT, claims: [] };
    });
  },
};

/** `sip:1004@192.0.2.4;media-index="0"`, several of them separated by commas, or in headers of their own. */
function participants(invite: InviteHeaders): Map<number, Participant & { readonly calling: boolean }> {
  const found = new Map<number, Participant & { readonly calling: boolean }>();
  for (const part of (invite.header(PARTICIPANT) ?? '').slice(0, 2048).split(',')) {
    const index = /;\s*media-index\s*=\s*"?(\d{1,2})"?/i.exec(part);
    if (index !== null)
      found.set(Number(index[1]), { ...parseNameAddr(part), calling: Number(index[1]) === 1 });
  }
  return found;
}
