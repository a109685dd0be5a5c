import { EarshotError, isEarshotError, type ChannelPorts, type Leg } from '@earshot/contracts';
import { mergeMetadata } from '../dialects/index.ts';
import type { CallRecord } from '../journal/record.ts';
import { requireAcceptable, type Offer } from '../sdp/offer.ts';
import type { SipRequest } from '../sip/request.ts';
import type { Call, CallTools } from './call.ts';
import { answerHeaders } from './incoming.ts';
import {
  answerFor,
  describeChannels,
  legForAdded,
  readDescription,
  renegotiate,
  streamsOf,
  withOwnOffer,
  type Description,
} from './negotiation.ts';
import { ACCEPT, ALLOW, noSuchDialog, refusalFor, SUPPORTED, unsupportedBody } from './refusal.ts';
import { contactFor, sessionTimer } from './session-headers.ts';

/** Requests inside the dialog of a call that the table has: ours, or one that a gateway before this one took. */
export class InDialog {
  readonly #tools: CallTools;
  readonly #negotiating = new WeakSet<Call>();

  constructor(tools: CallTools) {
    this.#tools = tools;
  }

  async ack(call: Call, request: SipRequest): Promise<void> {
    call.dispatch({ type: 'ack' });
    const { record } = call;
    if (record?.awaitingAnswer !== true || request.body === '') return;
    try {
      const next = await this.#takeAnswer(record, request);
      if (call.record === record && call.phase === 'live') call.replaceRecord(next);
    } catch (error) {
      if (!isEarshotError(error)) throw error;
      // An ACK cannot be refused: a dialog whose answer is of no use is taken down.
      this.#tools.log.warn({ callId: call.callId, fault: error.message }, 'answer in an ACK is of no use');
      call.dispatch({ type: 'fault' });
    }
  }

  /** The caller's answer to our offer. @throws EarshotError when it is malformed or takes none of our streams */
  async #takeAnswer(record: CallRecord, request: SipRequest): Promise<CallRecord> {
    const description = readDescription(request);
    if (description.kind === 'unsupported' || description.offer === null || description.sdp === null) {
      throw new EarshotError('SDP_MALFORMED', 'the ACK has a body that is not SDP');
    }
    if (record.offerSdp === null) requireAcceptable(description.offer);
    const { legs } = renegotiate(record, description.offer);
    await this.#updateLegs(record, legs);
    return { ...record, legs, offerSdp: description.sdp, awaitingAnswer: false };
  }

  receive(call: Call, request: SipRequest): void | Promise<void> {
    switch (request.method) {
      case 'BYE':
        return this.#bye(call, request);
      case 'INVITE':
      case 'UPDATE':
        return this.#offer(call, request);
      case 'OPTIONS':
        void request.respond(200, { headers: { Accept: ACCEPT, Allow: ALLOW, Supported: SUPPORTED } });
        return;
      case 'INFO':
      case 'PRACK':
      case 'MESSAGE':
      case 'NOTIFY':
        void request.respond(200);
        return;
      default:
        void request.respond(405, { headers: { Allow: ALLOW } });
        return;
    }
  }

  #bye(call: Call, request: SipRequest): void {
    if (request.fromServer) {
      const ackMissing = /ack/i.test(request.header('reason') ?? '');
      call.dispatch({ type: 'dialog.destroyed', ackMissing });
      return;
    }
    void request.respond(200);
    call.dispatch({ type: 'bye' });
  }

  async #offer(call: Call, request: SipRequest): Promise<void> {
    const record = call.record;
    if (record === null || call.phase === 'closing' || call.phase === 'ended') {
      void request.respond(noSuchDialog.status, noSuchDialog);
      return;
    }
    if (this.#negotiating.has(call)) {
      // RFC 3261 section 14.2: a second offer before the first is answered.
      void request.respond(500, { headers: { 'Retry-After': '1' } });
      return;
    }
    this.#negotiating.add(call);
    try {
      await this.#renegotiate(call, record, request);
    } catch (error) {
      if (!isEarshotError(error)) throw error;
      const refusal = refusalFor(error);
      this.#tools.log.warn(
        { callId: call.callId, method: request.method, status: refusal.status, fault: error.message },
        'offer in a dialog refused',
      );
      void request.respond(refusal.status, refusal);
    } finally {
      this.#negotiating.delete(call);
    }
  }

  async #renegotiate(call: Call, record: CallRecord, request: SipRequest): Promise<void> {
    const description = readDescription(request);
    if (description.kind === 'unsupported') {
      const refusal = unsupportedBody(description.type);
      void request.respond(refusal.status, refusal);
      return;
    }
    const described = await this.#nextRecord(record, description, request);
    const asksForOffer = request.method === 'INVITE' && description.offer === null;
    const next = asksForOffer ? withOwnOffer(described) : described;
    if (call.phase === 'closing' || call.phase === 'ended') {
      // It ended meanwhile: what was opened for it is closed again.
      for (const leg of next.legs.slice(record.legs.length)) {
        void this.#tools.placement.close(record.info.worker, leg.legId);
      }
      void request.respond(noSuchDialog.status, noSuchDialog);
      return;
    }
    if (next !== record) call.replaceRecord(next);
    if (request.method === 'UPDATE' && description.offer === null) {
      void request.respond(200, { headers: { Contact: contactFor(request), ...sessionTimer(request) } });
      return;
    }
    void request.respond(200, { headers: answerHeaders(request), body: next.answer.sdp });
  }

  /** The same record when the offer repeats the one before (a session refresh) and there is no metadata. */
  async #nextRecord(
    record: CallRecord,
    description: Extract<Description, { kind: 'read' }>,
    request: SipRequest,
  ): Promise<CallRecord> {
    const { sdp, offer } = description;
    const metadata =
      description.metadata === null ? record.metadata : mergeMetadata(record.metadata, description.metadata);
    const repeats = offer === null || sdp === null || sdp === record.offerSdp;
    if (repeats && description.metadata === null) return record;
    const session = repeats
      ? { ...sessionOf(record), added: [] }
      : await this.#nextSession(record, offer, sdp);
    const { callId, dialect, channels } = record.info;
    const streams = [
      ...channels.map(({ label, codec, channel }) => ({
        label,
        codec:
          session.legs.flatMap((leg) => leg.channels).find((on) => on.channel === channel)?.codecs[0]?.name ??
          codec,
      })),
      ...session.added,
    ];
    const { added: _added, ...rest } = session;
    return {
      ...record,
      ...rest,
      metadata,
      info: {
        ...record.info,
        channels: describeChannels(callId, dialect, request, metadata, streams, channels),
      },
    };
  }

  async #nextSession(record: CallRecord, offer: Offer, sdp: string): Promise<NextSession> {
    const { callId, channels, worker } = record.info;
    const { placement } = this.#tools;
    const { legs: changed, assignment } = renegotiate(record, offer);
    await this.#updateLegs(record, changed);
    const { zero, rtpTimeoutS, record: keep, recognition } = record.legs[0]!;
    const settings = {
      zero,
      rtpTimeoutS,
      record: keep,
      ...(recognition === undefined ? {} : { recognition }),
      ...(record.info.paused === true ? { paused: true } : {}),
    };
    let media = assignment.media;
    let added: NextSession['added'] = [];
    const legs: Leg[] = [...changed];
    const ports: ChannelPorts[] = [...record.ports];
    if (assignment.added.length > 0) {
      const leg = legForAdded(callId, legs.length, assignment.added, settings);
      try {
        ports.push(...(await placement.openOn(worker, leg)).ports);
        legs.push(leg);
        added = streamsOf(assignment.added);
      } catch (error) {
        // The call goes on with the streams it has; the new ones are refused by port 0.
        this.#tools.log.warn({ err: error, callId }, 'further streams refused');
        media = media.map((index) => (index !== null && index >= channels.length ? null : index));
      }
    }
    const origin = { ...record.answer, version: record.answer.version + 1 };
    const answer = { ...origin, sdp: answerFor(origin, offer, media, legs, ports) };
    return { legs, ports, media, offerSdp: sdp, awaitingAnswer: false, answer, added };
  }

  /**
   * Has the call's media workers keep nothing, or go on. A re-INVITE that is answered meanwhile keeps its streams: what it changed is
   * read when ours is done.
   */
  async pause(call: Call, paused: boolean): Promise<void> {
    const { record } = call;
    if (record === null) return;
    // Whoever asks may not know: it is told again.
    if ((record.info.paused ?? false) === paused) return this.#tools.announcer.updated(record.info);
    await this.#updateLegs(
      record,
      record.legs.map((leg) => ({ ...leg, paused })),
    );
    const now = call.record ?? record;
    const legs = now.legs.map((leg) => ({ ...leg, paused }));
    call.replaceRecord({ ...now, legs, info: { ...now.info, paused } });
  }

  async #updateLegs(record: CallRecord, legs: readonly Leg[]): Promise<void> {
    for (const [index, leg] of legs.entries()) {
      if (JSON.stringify(leg) === JSON.stringify(record.legs[index])) continue;
      const result = await this.#tools.placement.update(record.info.worker, leg);
      if (result.type === 'failed') throw new EarshotError('INTERNAL', result.message);
    }
  }
}

type Session = Pick<CallRecord, 'legs' | 'ports' | 'media' | 'offerSdp' | 'awaitingAnswer' | 'answer'>;
type NextSession = Session & { readonly added: ReturnType<typeof streamsOf> };

const sessionOf = ({ legs, ports, media, offerSdp, awaitingAnswer, answer }: CallRecord): Session => ({
  legs,
  ports,
  media,
  offerSdp,
  awaitingAnswer,
  answer,
});
