import { EarshotError, isEarshotError } from '@earshot/contracts';
import type { SessionTimer } from '../call/session-timer.ts';
import type { CallRecord } from '../journal/record.ts';
import type { SipRequest } from '../sip/request.ts';
import type { CallTools, Dialog } from './dialog.ts';
import { answerHeaders } from './incoming.ts';
import { readDescription, withOwnOffer, type Description } from './negotiation.ts';
import {
  ACCEPT,
  ALLOW,
  noSuchDialog,
  refusalFor,
  SUPPORTED,
  unsupportedBody,
  type Refusal,
} from './refusal.ts';
import { contactFor, retryAfter, sessionTimer, timerOf, timerTooShort } from './session-headers.ts';
import { Sessions } from './sessions.ts';
import type { WholeCall } from './whole-call.ts';

type Read = Extract<Description, { kind: 'read' }>;

/** RFC 3261 section 14.2, RFC 3311 section 5.2: an offer of ours is not answered yet. */
const requestPending: Refusal = { status: 491, reason: 'Request Pending' };

const isOver = (dialog: Dialog): boolean => dialog.phase === 'closing' || dialog.phase === 'ended';

/** Requests inside the dialog of a call that the table has: ours, or one that a gateway before this one took. */
export class InDialog {
  readonly #tools: CallTools;
  readonly #sessions: Sessions;
  /** Calls with an offer of the peer's that is not answered yet. */
  readonly #offered = new WeakSet<Dialog>();

  constructor(tools: CallTools) {
    this.#tools = tools;
    this.#sessions = new Sessions(tools);
  }

  async ack(dialog: Dialog, request: SipRequest): Promise<void> {
    dialog.dispatch({ type: 'ack' });
    if (dialog.record?.awaitingAnswer !== true) return;
    try {
      await this.#tools.turns.take(dialog.whole, () => this.#answered(dialog, request));
    } catch (error) {
      if (!isEarshotError(error)) throw error;
      // An ACK cannot be refused: a dialog whose answer is of no use is taken down.
      this.#tools.log.warn({ callId: dialog.callId, fault: error.message }, 'answer in an ACK is of no use');
      dialog.dispatch({ type: 'fault' });
    }
  }

  /** The caller's answer to our offer. @throws EarshotError when it is malformed or takes none of our streams */
  async #answered(dialog: Dialog, request: SipRequest): Promise<void> {
    const { record } = dialog;
    if (record?.awaitingAnswer !== true || isOver(dialog)) return;
    if (request.body.trim() === '') {
      // Against RFC 3261 section 13.2.2.4, and no reason to end a call: what was agreed on before holds, or any source does.
      dialog.replaceRecord({ ...record, awaitingAnswer: false });
      return;
    }
    const description = readDescription(request);
    if (description.kind === 'unsupported' || description.offer === null || description.sdp === null) {
      throw new EarshotError('SDP_MALFORMED', 'the ACK has a body that is not SDP');
    }
    const next = await this.#sessions.afterAnswer(record, description.offer, description.sdp);
    if (!isOver(dialog)) dialog.replaceRecord(this.#sessions.described(next, description, request));
  }

  receive(dialog: Dialog, request: SipRequest): void | Promise<void> {
    switch (request.method) {
      case 'BYE':
        return this.#bye(dialog, request);
      case 'INVITE':
      case 'UPDATE':
        return this.#describe(dialog, request);
      case 'OPTIONS':
        void request.respond(200, { headers: { Accept: ACCEPT, Allow: ALLOW, Supported: SUPPORTED } });
        return;
      case 'INFO':
      case 'MESSAGE':
      case 'NOTIFY':
        void request.respond(200);
        return;
      case 'PRACK':
        // RFC 3262 section 3: of no provisional response of ours, since none is reliable.
        void request.respond(noSuchDialog.status, noSuchDialog);
        return;
      default:
        void request.respond(405, { headers: { Allow: ALLOW } });
        return;
    }
  }

  #bye(dialog: Dialog, request: SipRequest): void {
    if (request.fromServer) {
      const reason = request.header('reason') ?? '';
      const cause = /ack/i.test(reason) ? 'no-ack' : /session/i.test(reason) ? 'session-expired' : 'unknown';
      dialog.dispatch({ type: 'dialog.destroyed', cause });
      return;
    }
    void request.respond(200);
    this.#lastWords(dialog, request);
    dialog.dispatch({ type: 'bye' });
  }

  /** Metadata in a BYE (Ribbon): who was there to the end. */
  #lastWords(dialog: Dialog, request: SipRequest): void {
    const { record } = dialog;
    if (record === null || isOver(dialog) || request.body.trim() === '') return;
    try {
      const description = readDescription(request);
      if (description.kind === 'unsupported' || description.metadata === null) return;
      dialog.replaceRecord(this.#sessions.described(record, description, request));
    } catch (error) {
      if (!isEarshotError(error)) throw error;
      this.#tools.log.info({ callId: dialog.callId, fault: error.message }, 'metadata of a BYE is of no use');
    }
  }

  /** A re-INVITE or an UPDATE: an offer, a wish for one, metadata, or the session's refresh. */
  async #describe(dialog: Dialog, request: SipRequest): Promise<void> {
    try {
      const description = readDescription(request);
      if (description.kind === 'unsupported') {
        throw new Refused(unsupportedBody(description.type));
      }
      const tooShort = timerTooShort(request);
      if (tooShort !== null) throw new Refused(tooShort);
      const negotiates = request.method === 'INVITE' || description.offer !== null;
      if (!negotiates) {
        await this.#tools.turns.take(dialog.whole, () => this.#take(dialog, request, description));
        return;
      }
      // A second one before the first is answered.
      if (this.#offered.has(dialog)) throw new Refused({ status: 500, headers: retryAfter() });
      this.#offered.add(dialog);
      try {
        await this.#tools.turns.take(dialog.whole, () => this.#take(dialog, request, description));
      } finally {
        this.#offered.delete(dialog);
      }
    } catch (error) {
      const refusal =
        error instanceof Refused ? error.refusal : isEarshotError(error) ? refusalFor(error) : null;
      if (refusal === null) throw error;
      this.#tools.log.warn(
        {
          callId: dialog.callId,
          method: request.method,
          status: refusal.status,
          fault: (error as Error).message,
        },
        'request in a dialog refused',
      );
      void request.respond(refusal.status, refusal);
    }
  }

  /** @throws Refused, EarshotError */
  async #take(dialog: Dialog, request: SipRequest, description: Read): Promise<void> {
    const { record } = dialog;
    if (record === null || isOver(dialog)) throw new Refused(noSuchDialog);
    const isInvite = request.method === 'INVITE';
    const negotiates = isInvite || description.offer !== null;
    // A re-INVITE that overtakes the ACK of an answer of ours is taken: the answer has come (RFC 5407 section 3.1.2).
    if (negotiates && (record.awaitingAnswer || dialog.isRefreshing)) throw new Refused(requestPending);
    const described = await this.#sessions.afterOffer(record, description, request);
    const own = isInvite && description.offer === null ? withOwnOffer(described) : described;
    const next = { ...own, timer: nextTimer(record, request, this.#tools.nowMs()) };
    if (isOver(dialog)) {
      // It ended meanwhile: what was opened for it is closed again.
      for (const leg of next.legs.slice(record.legs.length)) {
        void this.#tools.placement.close(record.info.worker, leg.legId);
      }
      throw new Refused(noSuchDialog);
    }
    dialog.replaceRecord(next);
    if (negotiates) {
      void request.respond(200, { headers: answerHeaders(request), body: next.answer.sdp });
    } else {
      void request.respond(200, { headers: { Contact: contactFor(request), ...sessionTimer(request) } });
    }
  }

  /**
   * Has the call's media workers keep nothing, or go on.
   * @throws EarshotError MEDIA_UNAVAILABLE when a worker did not say that it keeps nothing; all is as it was then
   */
  pause(whole: WholeCall, paused: boolean): Promise<void> {
    return this.#tools.turns.take(whole, async () => {
      const dialogs = whole.dialogs.flatMap((dialog) => {
        const { record } = dialog;
        if (record === null || !dialog.isUp) return [];
        return [{ dialog, record, legs: record.legs.map((leg) => ({ ...leg, paused })) }];
      });
      if (whole.info === null) return;
      if (dialogs.length === 0) return whole.pauseWaiting(paused);
      // Whoever asks may not know: it is told again.
      if ((whole.info.paused ?? false) === paused) return this.#tools.announcer.updated(whole.info);
      for (const [told, { record, legs }] of dialogs.entries()) {
        try {
          // Words that go on being kept are a breach; a leg that goes on a little later, with the leg.sync, is not.
          await this.#sessions.tell(record, legs, paused);
        } catch (error) {
          for (const before of dialogs.slice(0, told)) {
            void this.#sessions.tell({ ...before.record, legs: before.legs }, before.record.legs);
          }
          throw error;
        }
      }
      for (const { dialog, record, legs } of dialogs) {
        if (dialog.isUp) dialog.replaceRecord({ ...record, legs, info: { ...whole.info, paused } });
      }
    });
  }
}

/** Why a request in a dialog is not taken, where that is no error of the catalogue. */
class Refused extends Error {
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    super(refusal.reason ?? `SIP ${refusal.status}`);
    this.refusal = refusal;
  }
}

/**
 * RFC 4028 section 7.4: a request that says nothing of a timer ends it. Where refreshing is ours we go on, which harms nobody.
 * @param nowMs of the monotonic clock
 */
function nextTimer(record: CallRecord, request: SipRequest, nowMs: number): SessionTimer | null {
  const asked = timerOf(request, nowMs);
  if (asked !== null || record.timer?.refresher !== 'us') return asked;
  return { ...record.timer, refreshedAtMs: nowMs };
}
