import type { Dialect, Finding } from './invite.ts';
import { parseNameAddr, uriParameters } from './name-addr.ts';
import { bridgeSide } from './stitch.ts';

/** Cisco calls the recorded phone the agent's, whoever made the call. */
const SIDE_WEIGHT = 0.9;

/**
 * The built-in bridge of a phone on Cisco CUCM: a dialog of its own for each party, without SDP in the INVITE, the
 * parties in parameters of the From URI. The user of that URI is the near end in both dialogs.
 */
export const cucmBib: Dialect = {
  name: 'cucm-bib',
  namesInHeaders: true,
  recognises: ({ invite }) => bridgeSide(uriParameters(invite.header('from') ?? '')) !== null,
  find(invite, streams) {
    const from = invite.header('from') ?? '';
    const uri = uriParameters(from);
    const near = bridgeSide(uri) === 'near';
    const owner = parseNameAddr(from);
    const number = uri.parameters.get(near ? 'x-nearendaddr' : 'x-farendaddr');
    const aor = number ? `sip:${number}@${uri.host}` : near ? owner.aor : null;
    const finding: Finding = {
      speakers: aor === null ? [] : [{ name: near ? owner.name : null, aor }],
      certainty: 0.95,
      how: near ? 'x-nearend' : 'x-farend',
      claims: [
        near
          ? { role: 'agent', weight: SIDE_WEIGHT, by: 'x-nearend: the recorded phone' }
          : { role: 'customer', weight: SIDE_WEIGHT, by: 'x-farend: the other party' },
      ],
    };
    return streams.map(() => finding);
  },
};
