import { extension } from './extensions.ts';
import type { Dialect, Finding } from './invite.ts';
import { hasHeader, hasNamespace, isSiprec, product, sessionNames } from './marks.ts';
import { findByMetadata } from './speakers.ts';

/**
 * Twilio's `<Siprec>`: streams labelled `inbound` (what the remote party says) and `outbound` (what it hears), a
 * boundary that begins with dashes, and the names of both in `Parameter` elements of the session.
 */
export const twilio: Dialect = {
  name: 'twilio',
  recognises: (arrival) =>
    isSiprec(arrival) &&
    (/twilio/i.test(`${product(arrival)} ${sessionNames(arrival)}`) ||
      hasHeader(arrival, /^x-twilio-/) ||
      hasNamespace(arrival, /twilio\.com/i)),
  find(_invite, streams, metadata) {
    const caller = extension(metadata?.extensions, 'callerdisplayname');
    const callee = extension(metadata?.extensions, 'calleedisplayname');
    // A call that Twilio makes has the callee on its inbound stream.
    const made = /outbound/i.test(extension(metadata?.extensions, 'role') ?? '');
    return findByMetadata(streams, metadata).map((finding, index): Finding => {
      const remote = streams[index]!.label?.toLowerCase() !== 'outbound';
      const name = remote === made ? callee : caller;
      return finding.speakers.length !== 1
        ? finding
        : { ...finding, speakers: finding.speakers.map((each) => ({ ...each, name: each.name ?? name })) };
    });
  },
};
