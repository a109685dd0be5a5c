import { EarshotError, isEarshotError } from '@earshot/contracts';
import { timerStep, type SessionTimer } from '../call/session-timer.ts';
import type { CallRecord } from '../journal/record.ts';
import { parseOffer } from '../sdp/offer.ts';
import type { SipAnswer } from '../sip/sip-server.ts';
import type { Call, CallTools } from './call.ts';
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
  readonly #asking = new WeakSet<Call>();
  /** No refresh before, milliseconds of the tools' clock. */
  readonly #notBeforeMs = new WeakMap<Call, number>();
  #interval: NodeJS.Timeout | null = null;
  #graceUntilMs = 0;

  constructor(tools: CallTools) {
    this.#tools = tools;
    this.#sessions = new Sessions(tools);
  }

  /** @param calls the calls that there are, asked for at each check */
  start(calls: () => Iterable<Call>): void {
    this.#graceUntilMs = this.#tools.nowMs() + GRACE_MS;
    this.#interval = setInterval(() => {
      for (const call of [...calls()]) this.#check(call);
    }, CHECK_EVERY_MS);
    this.#interval.unref();
  }

  stop(): void {
    if (this.#interval !== null) clearInterval(this.#interval);
    this.#interval = null;
  }

  #check(call: Call): void {
    const timer = call.record?.timer ?? null;
    if (timer === null || !call.isUp) return;
    const nowMs = this.#tools.nowMs();
    switch (timerStep(timer, nowMs)) {
      case 'wait':
        return;
      case 'expire':
        if (nowMs >= this.#graceUntilMs) call.dispatch({ type: 'session.expired' });
        else if (timer.refresher === 'us') this.#askTo(call, timer, nowMs);
        return;
      case 'refresh':
        this.#askTo(call, timer, nowMs);
    }
  }

  #askTo(call: Call, timer: SessionTimer, nowMs: number): void {
    // An offer of the peer's is being answered: it is as good as a refresh, or the next check asks.
    if (this.#asking.has(call) || this.#tools.turns.busy(call.whole)) return;
    if (nowMs < (this.#notBeforeMs.get(call) ?? 0)) return;
    this.#asking.add(call);
    this.#refresh(call, call.record!, timer)
      .catch((error: unknown) =>
        this.#tools.log.error({ err: error, callId: call.callId }, 'session refresh failed'),
      )
      .finally(() => this.#asking.delete(call));
  }

  async #refresh(call: Call, record: CallRecord, timer: SessionTimer): Promise<void> {
    const { sip, nowMs } = this.#tools;
    const headers = { ...refreshHeaders(timer), Contact: contactOver(record.info.sip.transport) };
    const byInvite = !timer.takesUpdate;
    // While we wait for the peer's answer to our own offer there can be no second one.
    if (byInvite && record.awaitingAnswer) return;
    call.isRefreshing = byInvite;
    let answer: SipAnswer | null;
    try {
      answer = await sip.request(
        call.dialogId,
        byInvite ? 'INVITE' : 'UPDATE',
        // The same SDP, by the same version: nothing changes (section 7.4).
        byInvite
          ? { headers: { ...headers, 'Content-Type': 'application/sdp' }, body: record.answer.sdp }
          : { headers },
      );
    } finally {
      call.isRefreshing = false;
    }
    const status = answer?.status ?? 408;
    if (answer !== null && status >= 200 && status < 300) {
      const renewed = refreshedTimer(timer, answer.header, nowMs());
      return byInvite ? this.#answered(call, renewed, answer.body) : this.#renew(call, renewed);
    }
    this.#tools.log.info({ callId: call.callId, status }, 'session refresh not taken');
    switch (status) {
      case 481:
        call.dispatch({ type: 'session.expired' });
        return;
      case 405:
      case 501:
        return this.#renew(
          call,
          byInvite ? { ...timer, refreshedAtMs: nowMs() } : { ...timer, takesUpdate: false },
        );
      case 422:
        return this.#renew(call, longerTimer(timer, answer!.header) ?? { ...timer, refreshedAtMs: nowMs() });
      case 408:
      case 491:
      case 503:
        this.#notBeforeMs.set(call, nowMs() + AGAIN_MS);
        return;
      default:
        return this.#renew(call, { ...timer, refreshedAtMs: nowMs() });
    }
  }

  #renew(call: Call, timer: SessionTimer): Promise<void> {
    return this.#tools.turns.take(call.whole, () => {
      if (call.record !== null && call.isUp) call.replaceRecord({ ...call.record, timer });
      return Promise.resolve();
    });
  }

  /** The answer to a re-INVITE of ours: where the peer has moved meanwhile. */
  #answered(call: Call, timer: SessionTimer, sdp: string): Promise<void> {
    return this.#tools.turns.take(call.whole, async () => {
      const { record } = call;
      if (record === null || !call.isUp) return;
      let next: CallRecord = record;
      try {
        if (sdp.trim() === '') throw new EarshotError('SDP_MALFORMED', 'the 200 has no SDP');
        next = await this.#sessions.afterAnswer(record, parseOffer(sdp), sdp);
      } catch (error) {
        if (!isEarshotError(error)) throw error;
        // The dialog is alive, and what was agreed on before holds.
        this.#tools.log.warn(
          { callId: call.callId, fault: error.message },
          'answer to a refresh is of no use',
        );
      }
      if (call.isUp) call.replaceRecord({ ...next, timer });
    });
  }
}
