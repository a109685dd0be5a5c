import type { ChannelIdentity, Dialect, InviteHeaders } from './invite.ts';
import { parseNameAddr } from './name-addr.ts';
import { completePair, roleFrom } from './roles.ts';

/**
 * An ordinary INVITE with audio: a plain fork or a bridged call. One stream holds everybody; of two streams Cisco CUBE
 * says the parties in X-Cisco-Recording-Participant.
 */
export const plain: Dialect = {
  name: 'plain',

  recognises: () => true,

  identify(invite, streams) {
    const [only] = streams;
    // Softphones label a lone stream too (baresip: 1): only a label that names a party says that it is one side.
    if (only !== undefined && streams.length === 1 && roleFrom([['label', only.label]]) === null) {
      return [
        {
          role: 'mixed',
          participant: parseNameAddr(invite.header('from') ?? ''),
          evidence: ['from-header', 'role mixed by default: one stream'],
        },
      ];
    }
    const cisco = ciscoParticipants(invite);
    return completePair(
      streams.map((stream, index): ChannelIdentity => {
        const participant = cisco.get(index) ?? { name: null, aor: null };
        const evidence = cisco.has(index) ? ['x-cisco-recording-participant'] : [];
        const hint = roleFrom([
          ['label', stream.label],
          ['header', participant.aor],
        ]);
        return {
          role: hint?.role ?? 'unknown',
          participant,
          evidence: [...evidence, hint?.evidence ?? 'role unknown by default'],
        };
      }),
    );
  },
};

/** `sip:1004@192.0.2.4;media-index="0"`, several of them separated by commas. */
function ciscoParticipants(invite: InviteHeaders): Map<number, ReturnType<typeof parseNameAddr>> {
  const found = new Map<number, ReturnType<typeof parseNameAddr>>();
  for (const part of (invite.header('x-cisco-recording-participant') ?? '').slice(0, 2048).split(',')) {
    const index = /;\s*media-index\s*=\s*"?(\d{1,2})"?/i.exec(part);
    if (index !== null) found.set(Number(index[1]), parseNameAddr(part));
  }
  return found;
}
