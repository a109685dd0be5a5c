import { userOf } from './agent-rules.ts';
import { extension } from './extensions.ts';
import type { Dialect, Finding, Speaker } from './invite.ts';
import { boundary, hasHeader, hasNamespace, isSiprec, product, sessionNames } from './marks.ts';
import { parseNameAddr } from './name-addr.ts';
import { findByMetadata } from './speakers.ts';

/**
 * Ribbon (Sonus): draft metadata, with the prefix `tns:` or without; names of one space and clocks of 1970. `callData`
 * has the From and To of the call: they name who the participants leave without a name, the caller first.
 */
export const ribbon: Dialect = {
  name: 'ribbon',
  recognises: (arrival) =>
    isSiprec(arrival) &&
    (/ribbon|sonus|genband/i.test(product(arrival)) ||
      /sonus|ribbon/i.test(`${boundary(arrival)} ${sessionNames(arrival)}`) ||
      hasHeader(arrival, /^[xp]-(ribbon|sonus)-/) ||
      hasNamespace(arrival, /:callData$/i)),
  find(_invite, streams, metadata) {
    const parties = ['fromhdr', 'tohdr']
      .map((name) => extension(metadata?.extensions, name))
      .map((value) => (value === null ? null : parseNameAddr(value)));
    const named = (speaker: Speaker): Speaker => {
      const place = metadata?.participants.findIndex((each) => each === speaker) ?? -1;
      const party =
        parties.find((each) => each?.aor && speaker.aor && userOf(each.aor) === userOf(speaker.aor)) ??
        (speaker.aor === null ? parties[place] : null);
      return party
        ? {
            ...speaker,
            name: speaker.name ?? party.name,
            aor: speaker.aor ?? party.aor,
            calling: party === parties[0],
          }
        : speaker;
    };
    return findByMetadata(streams, metadata).map((finding): Finding => ({
      ...finding,
      speakers: finding.speakers.map(named),
    }));
  },
};
