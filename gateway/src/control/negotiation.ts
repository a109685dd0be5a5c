import {
  channelIdOf,
  EarshotError,
  legIdOf,
  type CallId,
  type CallInfo,
  type CallZero,
  type ChannelInfo,
  type ChannelPorts,
  type Leg,
  type LegChannel,
  type RecognitionConfig,
} from '@earshot/contracts';
import { assignChannels, legChannel, type Assignment, type MediaMap } from '../call/session.ts';
import {
  continued,
  externalIds,
  identify,
  readBody,
  parseMetadata,
  type AgentRules,
  type InviteHeaders,
  type RecordingMetadata,
} from '../dialects/index.ts';
import type { CallRecord } from '../journal/record.ts';
import { buildAnswer, type AnsweredMedia, type AnsweredStream } from '../sdp/answer.ts';
import { cryptoAnswer } from '../sdp/crypto.ts';
import { parseOffer, whyNot, type Offer, type OfferedMedia } from '../sdp/offer.ts';
import { rtcpAnswer } from '../sdp/rtcp.ts';
import type { SipRequest } from '../sip/request.ts';

/** The body of an INVITE, re-INVITE or UPDATE, read. */
export type Description =
  | { readonly kind: 'unsupported'; readonly type: string }
  | {
      readonly kind: 'read';
      readonly sdp: string | null;
      readonly offer: Offer | null;
      readonly metadata: RecordingMetadata | null;
    };

/** @throws EarshotError MULTIPART_MALFORMED, SDP_MALFORMED, METADATA_MALFORMED */
export function readDescription(request: SipRequest): Description {
  const body = readBody(request.header('content-type'), request.body);
  if (body.kind === 'unsupported') return body;
  if (body.kind === 'empty') return { kind: 'read', sdp: null, offer: null, metadata: null };
  return {
    kind: 'read',
    sdp: body.sdp,
    offer: body.sdp === null ? null : parseOffer(body.sdp),
    metadata: body.metadataXml === null ? null : parseMetadata(body.metadataXml),
  };
}

export interface LegSettings {
  readonly zero: CallZero;
  readonly rtpTimeoutS: number;
  readonly record: boolean;
  readonly paused?: boolean;
  readonly deferred?: boolean;
  readonly recognition?: RecognitionConfig;
}

/** A leg for the channels that an offer adds; the first of them names it. */
export function legForAdded(callId: CallId, added: Assignment['added'], settings: LegSettings): Leg {
  return {
    callId,
    legId: legIdOf(callId, added[0]?.index ?? 0),
    ...settings,
    channels: added.map(({ index, media }) => legChannel(callId, index, media, null)),
  };
}

/** Who is on each channel, as the call's dialect reads it. What was known of a channel is not forgotten. */
export function describeChannels(
  callId: CallId,
  dialect: string,
  invite: InviteHeaders,
  metadata: RecordingMetadata | null,
  streams: readonly Pick<ChannelInfo, 'label' | 'codec'>[],
  before: readonly ChannelInfo[],
  rules?: AgentRules,
): ChannelInfo[] {
  const identities = identify(dialect, invite, streams, metadata, rules);
  return streams.map((stream, index) => ({
    channel: channelIdOf(callId, index),
    index,
    label: stream.label,
    codec: stream.codec,
    ...continued(identities[index]!, before[index], metadata),
  }));
}

/** The answer's m-lines: the port and codecs of each channel that the offer leaves on. */
export function answerMedia(
  offer: Offer,
  media: MediaMap,
  legs: readonly Leg[],
  ports: readonly ChannelPorts[],
): AnsweredMedia[] {
  return offer.media.map((offered, line) => {
    const index = media[line] ?? null;
    if (index === null || offered.port === 0 || !offered.acceptable) return null;
    const id = channelIdOf(legs[0]!.callId, index);
    const channel = legs.flatMap((leg) => leg.channels).find((known) => known.channel === id);
    const port = ports.find((candidate) => candidate.channel === id);
    if (port === undefined) return null;
    return {
      rtpPort: port.rtpPort,
      codecs: offered.codecs,
      ...packetTimes(offered),
      attributes: attributesOf(offered, channel),
    };
  });
}

const USUAL_PTIME_MS = 20;

/** What the offerer asks to get is what it likes to send: it is wished for in turn, within what it says that it can. */
function packetTimes({ ptimeMs, maxPtimeMs }: OfferedMedia): Pick<AnsweredStream, 'ptimeMs' | 'maxPtimeMs'> {
  const wished = ptimeMs ?? USUAL_PTIME_MS;
  return maxPtimeMs === null ? { ptimeMs: wished } : { ptimeMs: Math.min(wished, maxPtimeMs), maxPtimeMs };
}

function attributesOf(offered: OfferedMedia, channel: LegChannel | undefined): string[] {
  const srtp = channel?.srtp;
  const crypto =
    offered.crypto === null || srtp === undefined
      ? []
      : [`crypto:${cryptoAnswer(offered.crypto, srtp.send)}`];
  return [...crypto, ...rtcpAnswer(offered.rtcp)];
}

/** The streams of the channels that an offer adds. */
export const streamsOf = (added: Assignment['added']): Pick<ChannelInfo, 'label' | 'codec'>[] =>
  added.map(({ media }) => ({ label: media.label, codec: media.codecs[0]!.name }));

export interface Renegotiation {
  readonly legs: readonly Leg[];
  readonly assignment: Assignment;
}

/**
 * What a new offer in a live dialog makes of the legs. The added channels are not in them yet: they need ports first.
 * @throws EarshotError CODEC_UNSUPPORTED when a stream that we have turns to what we cannot decode: the session stays
 */
export function renegotiate(record: CallRecord, offer: Offer): Renegotiation {
  const { callId, channels } = record.info;
  for (const [line, offered] of offer.media.entries()) {
    const index = record.media[line] ?? null;
    // A slot that another kind of media takes is answered with port 0 (RFC 3264 section 8.3.3).
    if (index !== null && offered.kind === 'audio' && offered.port !== 0 && !offered.acceptable) {
      throw new EarshotError('CODEC_UNSUPPORTED', `m= line ${line + 1} changed: ${whyNot(offered)}`);
    }
  }
  const assignment = assignChannels(record.media, channels.length, offer);
  const legs = record.legs.map((leg) => ({
    ...leg,
    channels: leg.channels.map((before) => {
      const line = assignment.media.findIndex(
        (index) => index !== null && channelIdOf(callId, index) === before.channel,
      );
      const offered = offer.media[line];
      return offered === undefined
        ? { ...before, state: 'held' as const }
        : legChannel(
            callId,
            channels.findIndex((known) => known.channel === before.channel),
            offered,
            before,
          );
    }),
  }));
  return { legs, assignment };
}

/** The SDP answer for a record whose legs and media map are up to date with the offer. */
export const answerFor = (
  answer: Omit<CallRecord['answer'], 'sdp'>,
  offer: Offer,
  media: MediaMap,
  legs: readonly Leg[],
  ports: readonly ChannelPorts[],
): string => buildAnswer(answer, offer, answerMedia(offer, media, legs, ports));

/** The answer that follows one in its dialog: with a higher version when it says something else (RFC 3264 section 8), else the same. */
export function answerAfter(
  before: CallRecord['answer'],
  offer: Offer,
  media: MediaMap,
  legs: readonly Leg[],
  ports: readonly ChannelPorts[],
): CallRecord['answer'] {
  const { sdp, ...origin } = before;
  if (answerFor(origin, offer, media, legs, ports) === sdp) return before;
  const next = { ...origin, version: origin.version + 1 };
  return { ...next, sdp: answerFor(next, offer, media, legs, ports) };
}

/**
 * The session as an offer of ours, for a re-INVITE without SDP (CUCM resumes a held call so). Streams that are held are
 * offered for receiving again; streams that were taken away stay away.
 */
export function withOwnOffer(record: CallRecord): CallRecord {
  if (record.offerSdp === null) return { ...record, awaitingAnswer: true };
  const offer = parseOffer(record.offerSdp);
  const open: Offer = { ...offer, media: offer.media.map((media) => ({ ...media, direction: 'sendonly' })) };
  return {
    ...record,
    awaitingAnswer: true,
    answer: answerAfter(record.answer, open, record.media, record.legs, record.ports),
  };
}

/** The parts of CallInfo that come from the request's headers. */
export function sipFacts(
  request: SipRequest,
  metadata: RecordingMetadata | null,
): Pick<CallInfo, 'sip' | 'externalIds'> {
  return {
    sip: {
      callId: request.callId.slice(0, 256),
      from: (request.header('from') ?? '').slice(0, 512),
      to: (request.header('to') ?? '').slice(0, 512),
      transport: request.source.transport,
      source: `${request.source.address}:${request.source.port}`,
    },
    externalIds: externalIds(request, metadata),
  };
}
