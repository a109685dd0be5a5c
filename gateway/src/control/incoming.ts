import { randomInt } from 'node:crypto';
import {
  EarshotError,
  isEarshotError,
  type CallId,
  type CallZero,
  type ChannelInfo,
  type Leg,
} from '@earshot/contracts';
import type { Config } from '@earshot/platform';
import { assignChannels, type Assignment, MAX_CHANNELS } from '../call/session.ts';
import { dialectOf, recognitionOf, stitchOf } from '../dialects/index.ts';
import type { CallRecord } from '../journal/record.ts';
import { buildOwnOffer } from '../sdp/answer.ts';
import { requireAcceptable } from '../sdp/offer.ts';
import type { Placed } from '../placement/placement.ts';
import type { SipRequest } from '../sip/request.ts';
import { type CallTools, Dialog, type OpenedLeg } from './dialog.ts';
import {
  answerFor,
  describeChannels,
  legForAdded,
  readDescription,
  sipFacts,
  streamsOf,
} from './negotiation.ts';
import {
  ALLOW,
  badExtension,
  badRequest,
  notAcceptable,
  SUPPORTED,
  unsupportedBody,
  type Refusal,
} from './refusal.ts';
import {
  acceptsSdp,
  contactFor,
  sessionTimer,
  timerOf,
  timerTooShort,
  unknownOptions,
} from './session-headers.ts';

export type StartedCall =
  | { readonly type: 'refused'; readonly refusal: Refusal }
  | { readonly type: 'started'; readonly dialog: Dialog; readonly place: () => Promise<void> };

/**
 * Makes a call of an INVITE that was admitted.
 * @param deferred it is recorded first, and recognised when there is room; one that goes on with a call does as that does
 * @throws EarshotError what is wrong with its body
 */
export function startCall(
  callId: CallId,
  request: SipRequest,
  zero: CallZero,
  config: Config,
  deferred: boolean,
  tools: CallTools,
): StartedCall {
  const receivedAtMs = performance.now();
  const refused = (refusal: Refusal): StartedCall => ({ type: 'refused', refusal });
  if (request.callId === '') return refused(badRequest('no Call-ID'));
  // Without a Contact no dialog can be made (RFC 3261 section 12.1.1).
  if (request.header('contact') === null) return refused(badRequest('no Contact'));
  const unknown = unknownOptions(request);
  if (unknown.length > 0) return refused(badExtension(unknown));
  if (!acceptsSdp(request)) return refused(notAcceptable);
  const tooShort = timerTooShort(request);
  if (tooShort !== null) return refused(tooShort);
  const description = readDescription(request);
  if (description.kind === 'unsupported') return refused(unsupportedBody(description.type));
  const { sdp, offer, metadata } = description;
  if (offer !== null) requireAcceptable(offer);
  const { media, added } = offer === null ? delayedOffer : assignChannels([], 0, offer);
  const { recognition, ignored } = recognitionOf(request);
  for (const { header, fault } of ignored) tools.log.warn({ callId, header, fault }, 'header ignored');
  const stitch = stitchOf(request, metadata);
  const joined = tools.wholes.find(stitch, added.length);
  const common = {
    zero,
    rtpTimeoutS: config.rtpTimeoutS,
    record: config.record,
    ...(deferred ? { deferred } : {}),
    ...(recognition === null ? {} : { recognition }),
  };
  const whole = joined ?? tools.wholes.open(callId, common, stitch);
  const dialect = dialectOf({ invite: request, metadata, sdp }).name;
  const origin = {
    sessionId: String(randomInt(1, 2 ** 47)),
    version: 1,
    address: mediaAddress(config, request),
  };

  const open = async (): Promise<OpenedLeg> => {
    if (joined === null) {
      const leg = legForAdded(callId, added, common);
      return withPorts(leg, await tools.placement.open(leg));
    }
    const info = await joined.known();
    if (info === null)
      throw new EarshotError('MEDIA_UNAVAILABLE', 'the first dialog of the call was refused');
    // Others joined while it was being placed.
    if (info.channels.length + added.length > MAX_CHANNELS)
      throw new EarshotError('MEDIA_UNAVAILABLE', 'the call has as many channels as it may have');
    const later = added.map(({ index, media }) => ({ index: index + info.channels.length, media }));
    const paused = info.paused === true ? { paused: true } : {};
    const leg = legForAdded(joined.callId, later, { ...joined.common, ...paused });
    return withPorts(leg, await tools.placement.openOn(info.worker, leg));
  };
  const complete = ({ leg, worker, ports }: OpenedLeg): CallRecord => {
    const facts = sipFacts(request, metadata);
    const known = whole.info ?? {
      callId: whole.callId,
      startedAtMs: zero.wallMs,
      dialect,
      ...facts,
      channels: [],
      ...(whole.deferred ? { recognition: 'waiting' as const } : {}),
      worker,
    };
    const first = known.channels.length;
    const channels = describeChannels(
      whole.callId,
      dialect,
      request,
      metadata,
      streamsOf(added),
      [],
      tools.agents,
    ).map((channel, place) => ({ ...channel, ...placeOf(leg, place, first) }));
    const map = media.map((index) => (index === null ? null : index + first));
    return {
      info: {
        ...known,
        externalIds: { ...facts.externalIds, ...known.externalIds },
        channels: [...known.channels, ...channels],
      },
      dialogId: request.dialogId,
      legs: [leg],
      ports,
      media: map,
      offerSdp: sdp,
      awaitingAnswer: offer === null,
      answer: {
        ...origin,
        sdp:
          offer === null
            ? buildOwnOffer(origin, [{ rtpPort: ports[0]!.rtpPort, codecs: leg.channels[0]!.codecs }])
            : answerFor(origin, offer, map, [leg], ports),
      },
      metadata,
      timer: timerOf(request, tools.nowMs()),
      stitch: whole.stitch,
    };
  };
  const dialog = Dialog.incoming(whole, { request, receivedAtMs, headers: answerHeaders(request) }, tools);
  const place = (): Promise<void> => dialog.place(open, complete);
  // A further dialog changes what is known of the call, as re-INVITEs in the others do.
  return { type: 'started', dialog, place: joined === null ? place : () => tools.turns.take(whole, place) };
}

const withPorts = (leg: Leg, placed: Placed): OpenedLeg => ({
  ...placed,
  leg: { ...leg, ports: placed.ports },
});

/** Whether an INVITE goes on with a call that there is, so that it needs no room of its own. */
export function continuesCall(request: SipRequest, tools: CallTools): boolean {
  // A node that is full refuses most INVITEs without reading them.
  if (!tools.wholes.joinable) return false;
  try {
    const description = readDescription(request);
    if (description.kind === 'unsupported') return false;
    return tools.wholes.find(stitchOf(request, description.metadata), 1) !== null;
  } catch (error) {
    if (!isEarshotError(error)) throw error;
    return false;
  }
}

/** The channel of a leg's stream. @param first index of the leg's first */
const placeOf = (leg: Leg, place: number, first: number): Pick<ChannelInfo, 'channel' | 'index'> => ({
  channel: leg.channels[place]!.channel,
  index: first + place,
});

/**
 * What we offer to an INVITE without SDP, as Cisco CUCM's built-in bridge sends it: one stream, all our codecs. The caller
 * names its address in the ACK; until then the first valid source of RTP wins.
 */
const delayedOffer: Assignment = {
  media: [0],
  added: [
    {
      index: 0,
      media: {
        kind: 'audio',
        port: 9,
        protocol: 'RTP/AVP',
        formats: ['0', '8', '9', '101'],
        formatNames: [],
        crypto: null,
        cryptoFault: null,
        rtcp: { mux: false, reducedSize: false, port: 10, address: null },
        ptimeMs: null,
        maxPtimeMs: null,
        label: null,
        direction: 'sendonly',
        address: null,
        codecs: [
          { payloadType: 0, name: 'PCMU' },
          { payloadType: 8, name: 'PCMA' },
          { payloadType: 9, name: 'G722' },
          { payloadType: 101, name: 'telephone-event' },
        ],
        acceptable: true,
        held: false,
      },
    },
  ],
};

/** Headers of a 200 that carries SDP. */
export const answerHeaders = (request: SipRequest): Record<string, string> => ({
  Contact: contactFor(request),
  'Content-Type': 'application/sdp',
  Allow: ALLOW,
  Supported: SUPPORTED,
  ...sessionTimer(request),
});

const ANY_ADDRESS = new Set(['0.0.0.0', '::']);

/** Where the caller is to send RTP: PUBLIC_IP, else the address bound, else the one that the INVITE came to. */
export function mediaAddress(config: Config, request: SipRequest): string {
  if (config.publicIp !== null) return config.publicIp;
  if (!ANY_ADDRESS.has(config.rtpBind)) return config.rtpBind === 'localhost' ? '127.0.0.1' : config.rtpBind;
  const received = request.receivedOn;
  return received === null || ANY_ADDRESS.has(received) ? '127.0.0.1' : received;
}
