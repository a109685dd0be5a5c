import { EarshotError, isEarshotError } from '@earshot/contracts';
import { timerStep, type SessionTimer } from '../call/session-timer.ts';
import type { CallRecord } from '../journal/record.ts';
import { parseOffer } from '../sdp/offer.ts';
import type { SipAnswer } from '../sip/sip-server.ts';
import type { CallTools, Dialog } from './dialog.ts';
import { contactOver, longerTimer, refreshedTimer, refreshHeaders } from './session-headers.ts';
import { Sessions } from './sessions.ts';

const CHECK_EVERY_MS = 500;
/** After a start the peers get this long: their refreshes may have come while no gateway was there. */
const GRACE_MS = 32_000;
/** A refresh that could not be sent, or met an offer of the peer's, is tried again so long after (RFC 3261 section 14.1). */
const AGAIN_MS = 2_000;

/**
 * Session timers (RFC 4028): refreshes the sessions that are ours to refresh, and ends those that nobody refreshed. Any answer to a
 * refresh but "no such dialog" is a sign of life: a call that goes on is not ended over a peer's fault.
 */
export class SessionTimers {
  readonly #tools: CallTools;
  readonly #sessions: Sessions;
  readonly #asking = new WeakSet<Dialog>();
  /** No refresh before, milliseconds of the tools' clock. */
  readonly #notBeforeMs = new WeakMap<Dialog, number>();
  #interval: NodeJS.Timeout | null = null;
  #graceUntilMs = 0;

  constructor(tools: CallTools) {
    this.#tools = tools;
    this.#sessions = new Sessions(tools);
  }

  /** @param dialogs those that there are, asked for at each check */
  start(dialogs: () => Iterable<Dialog>): void {
    this.#graceUntilMs = this.#tools.nowMs() + GRACE_MS;
    this.#interval = setInterval(() => {
      for (const dialog of [...dialogs()]) this.#check(dialog);
    }, CHECK_EVERY_MS);
    this.#interval.unref();
  }

  stop(): void {
    if (this.#interval !== null) clearInterval(this.#interval);
    this.#interval = null;
  }

  #check(dialog: Dialog): void {
    const timer = dialog.record?.timer ?? null;
    if (timer === null || !dialog.isUp) return;
    const nowMs = this.#tools.nowMs();
    switch (timerStep(timer, nowMs)) {
      case 'wait':
        return;
      case 'expire':
        if (nowMs >= this.#graceUntilMs) dialog.dispatch({ type: 'session.expired' });
        else if (timer.refresher === 'us') this.#askTo(dialog, timer, nowMs);
        return;
      case 'refresh':
        this.#askTo(dialog, timer, nowMs);
    }
  }

  #askTo(dialog: Dialog, timer: SessionTimer, nowMs: number): void {
    // An offer of the peer's is being answered: it is as good as a refresh, or the next check asks.
    if (this.#asking.has(dialog) || this.#tools.turns.busy(dialog.whole)) return;
    if (nowMs < (this.#notBeforeMs.get(dialog) ?? 0)) return;
    this.#asking.add(dialog);
    this.#refresh(dialog, dialog.record!, timer)
      .catch((error: unknown) =>
        this.#tools.log.error({ err: error, callId: dialog.callId }, 'session refresh failed'),
      )
      .finally(() => this.#asking.delete(dialog));
  }

  async #refresh(dialog: Dialog, record: CallRecord, timer: SessionTimer): Promise<void> {
    const { sip, nowMs } = this.#tools;
    const headers = { ...refreshHeaders(timer), Contact: contactOver(record.info.sip.transport) };
    const byInvite = !timer.takesUpdate;
    // While we wait for the peer's answer to our own offer there can be no second one.
    if (byInvite && record.awaitingAnswer) return;
    dialog.isRefreshing = byInvite;
    let answer: SipAnswer | null;
    try {
      answer = await sip.request(
        dialog.dialogId,
        byInvite ? 'INVITE' : 'UPDATE',
        // The same SDP, by the same version: nothing changes (section 7.4).
        byInvite
          ? { headers: { ...headers, 'Content-Type': 'application/sdp' }, body: record.answer.sdp }
          : { headers },
      );
    } finally {
      dialog.isRefreshing = false;
    }
    const status = answer?.status ?? 408;
    if (answer !== null && status >= 200 && status < 300) {
      const renewed = refreshedTimer(timer, answer.header, nowMs());
      return byInvite ? this.#answered(dialog, renewed, answer.body) : this.#renew(dialog, renewed);
    }
    this.#tools.log.info({ callId: dialog.callId, status }, 'session refresh not taken');
    switch (status) {
      case 481:
        dialog.dispatch({ type: 'session.expired' });
        return;
      case 405:
      case 501:
        return this.#renew(
          dialog,
          byInvite ? { ...timer, refreshedAtMs: nowMs() } : { ...timer, takesUpdate: false },
        );
      case 422:
        return this.#renew(
          dialog,
          longerTimer(timer, answer!.header) ?? { ...timer, refreshedAtMs: nowMs() },
        );
      case 408:
      case 491:
      case 503:
        this.#notBeforeMs.set(dialog, nowMs() + AGAIN_MS);
        return;
      default:
        return this.#renew(dialog, { ...timer, refreshedAtMs: nowMs() });
    }
  }

  #renew(dialog: Dialog, timer: SessionTimer): Promise<void> {
    return this.#tools.turns.take(dialog.whole, () => {
      if (dialog.record !== null && dialog.isUp) dialog.replaceRecord({ ...dialog.record, timer });
      return Promise.resolve();
    });
  }

  /** The answer to a re-INVITE of ours: where the peer has moved meanwhile. */
  #answered(dialog: Dialog, timer: SessionTimer, sdp: string): Promise<void> {
    return this.#tools.turns.take(dialog.whole, async () => {
      const { record } = dialog;
      if (record === null || !dialog.isUp) return;
      let next: CallRecord = record;
      try {
        if (sdp.trim() === '') throw new EarshotError('SDP_MALFORMED', 'the 200 has no SDP');
        next = await this.#sessions.afterAnswer(record, parseOffer(sdp), sdp);
      } catch (error) {
        if (!isEarshotError(error)) throw error;
        // The dialog is alive, and what was agreed on before holds.
        this.#tools.log.warn(
          { callId: dialog.callId, fault: error.message },
          'answer to a refresh is of no use',
        );
      }
      if (dialog.isUp) dialog.replaceRecord({ ...next, timer });
    });
  }
}
