import { randomBytes } from 'node:crypto';
import type { LegChannel, LegCodec } from '@earshot/contracts';
import { channelIdOf, type CallId } from '@earshot/contracts';
import { isAddress } from '../sdp/attributes.ts';
import { negotiateCrypto } from '../sdp/crypto.ts';
import type { Offer, OfferedMedia } from '../sdp/offer.ts';

/** Which channel an m-line of the dialog is, by m-line index; null where we refused it. */
export type MediaMap = readonly (number | null)[];

export interface Assignment {
  readonly media: MediaMap;
  /** Channels that this offer adds, in order. */
  readonly added: readonly { readonly index: number; readonly media: OfferedMedia }[];
}

/** Most channels that one call may have. */
export const MAX_CHANNELS = 8;

/**
 * Gives each acceptable m-line of an offer its channel. An m-line keeps its place and its channel for the whole dialog
 * (RFC 3264 section 8), also while its port is 0; new m-lines get new channels.
 */
export function assignChannels(known: MediaMap, channelCount: number, offer: Offer): Assignment {
  const added: { index: number; media: OfferedMedia }[] = [];
  const media = offer.media.map((offered, line) => {
    const channel = known[line] ?? null;
    if (channel !== null) return channel;
    const index = channelCount + added.length;
    if (!offered.acceptable || index >= MAX_CHANNELS) return null;
    added.push({ index, media: offered });
    return index;
  });
  // An offer with fewer m-lines than before is against the rule; its streams may come back to their places.
  return { media: [...media, ...known.slice(media.length)], added };
}

/**
 * The media worker's view of a channel. `before` is what it was: a hold by c=0.0.0.0 or port 0 keeps the source, so that
 * the worker need not latch again when the call is taken up.
 */
export function legChannel(
  callId: CallId,
  index: number,
  offered: OfferedMedia,
  before: LegChannel | null,
): LegChannel {
  const off = offered.port === 0 || !offered.acceptable;
  const remote = remoteOf(offered.address, offered.port);
  const srtp =
    offered.crypto === null
      ? before !== null && off
        ? before.srtp
        : undefined
      : negotiateCrypto(offered.crypto, before?.srtp ?? null, randomBytes);
  return {
    channel: channelIdOf(callId, index),
    codecs: codecsOr(offered.codecs, before),
    state: off || offered.held ? 'held' : 'active',
    remote: remote ?? before?.remote ?? null,
    ...(srtp === undefined ? {} : { srtp }),
    rtcp: {
      mux: offered.rtcp.mux,
      reducedSize: offered.rtcp.reducedSize,
      remote: offered.rtcp.mux
        ? remote
        : remoteOf(offered.rtcp.address ?? offered.address, offered.port === 0 ? 0 : offered.rtcp.port),
    },
  };
}

const codecsOr = (codecs: readonly LegCodec[], before: LegChannel | null): readonly LegCodec[] =>
  codecs.length > 0 || before === null ? codecs : before.codecs;

/** Null when the offer names no address that packets could come from: a host name, or the hold address. */
function remoteOf(address: string | null, port: number): LegChannel['remote'] {
  if (port === 0 || address === null || address === '0.0.0.0' || address === '::') return null;
  return isAddress(address) ? { address, port } : null;
}
