import { randomInt } from 'node:crypto';
import type { CallId, CallInfo, CallZero, ChannelPorts } from '@earshot/contracts';
import type { Config } from '@earshot/platform';
import { assignChannels, type Assignment } from '../call/session.ts';
import { dialectOf, recognitionOf } from '../dialects/index.ts';
import type { CallRecord } from '../journal/record.ts';
import { buildOwnOffer } from '../sdp/answer.ts';
import { requireAcceptable } from '../sdp/offer.ts';
import type { SipRequest } from '../sip/request.ts';
import { Call, type CallTools } from './call.ts';
import {
  answerFor,
  describeChannels,
  legForAdded,
  readDescription,
  sipFacts,
  streamsOf,
} from './negotiation.ts';
import { ALLOW, badExtension, badRequest, SUPPORTED, unsupportedBody, type Refusal } from './refusal.ts';
import { contactFor, sessionTimer, unknownOptions } from './session-headers.ts';

export type StartedCall =
  | { readonly type: 'refused'; readonly refusal: Refusal }
  | { readonly type: 'started'; readonly call: Call; readonly place: () => Promise<void> };

/**
 * Makes a call of an INVITE that was admitted.
 * @throws EarshotError what is wrong with its body
 */
export function startCall(
  callId: CallId,
  request: SipRequest,
  zero: CallZero,
  config: Config,
  tools: CallTools,
): StartedCall {
  const receivedAtMs = performance.now();
  const refused = (refusal: Refusal): StartedCall => ({ type: 'refused', refusal });
  if (request.callId === '') return refused(badRequest('no Call-ID'));
  // Without a Contact no dialog can be made (RFC 3261 section 12.1.1).
  if (request.header('contact') === null) return refused(badRequest('no Contact'));
  const unknown = unknownOptions(request);
  if (unknown.length > 0) return refused(badExtension(unknown));
  const description = readDescription(request);
  if (description.kind === 'unsupported') return refused(unsupportedBody(description.type));
  const { sdp, offer, metadata } = description;
  if (offer !== null) requireAcceptable(offer);
  const { media, added } = offer === null ? delayedOffer : assignChannels([], 0, offer);
  const { recognition, ignored } = recognitionOf(request);
  for (const { header, fault } of ignored) tools.log.warn({ callId, header, fault }, 'header ignored');
  const leg = legForAdded(callId, 0, added, {
    zero,
    rtpTimeoutS: config.rtpTimeoutS,
    record: config.record,
    ...(recognition === null ? {} : { recognition }),
  });
  const dialect = dialectOf(request, metadata !== null).name;
  const channels = describeChannels(callId, dialect, request, metadata, streamsOf(added), []);
  const origin = {
    sessionId: String(randomInt(1, 2 ** 47)),
    version: 1,
    address: mediaAddress(config, request),
  };

  const complete = (worker: number, ports: readonly ChannelPorts[]): CallRecord => {
    const info: CallInfo = {
      callId,
      startedAtMs: zero.wallMs,
      dialect,
      ...sipFacts(request, metadata),
      channels,
      worker,
    };
    return {
      info,
      dialogId: request.dialogId,
      legs: [leg],
      ports,
      media,
      offerSdp: sdp,
      awaitingAnswer: offer === null,
      answer: {
        ...origin,
        sdp:
          offer === null
            ? buildOwnOffer(origin, [{ rtpPort: ports[0]!.rtpPort, codecs: leg.channels[0]!.codecs }])
            : answerFor(origin, offer, media, [leg], ports),
      },
      metadata,
    };
  };
  const call = Call.incoming(callId, { request, receivedAtMs, headers: answerHeaders(request) }, tools);
  return { type: 'started', call, place: () => call.place(leg, complete) };
}

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
        rtcp: { mux: false, muxOnly: false, reducedSize: false, port: 10, address: null },
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
