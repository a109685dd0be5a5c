import {
  EarshotError,
  isEarshotError,
  type CallId,
  type ChannelPorts,
  type ChannelTotals,
  type EndReason,
  type Leg,
  type LegId,
} from '@earshot/contracts';
import type { Log } from '@earshot/platform';
import { step, type CallEffect, type CallEvent, type CallState } from '../call/machine.ts';
import type { CallEnd, CallRecord } from '../journal/record.ts';
import type { Placed, Placement } from '../placement/placement.ts';
import type { SipRequest } from '../sip/request.ts';
import type { SipServer } from '../sip/sip-server.ts';
import type { Announcer } from './announcer.ts';
import type { Journal } from '../journal/journal.ts';
import type { GatewayMetrics } from './metrics.ts';
import { refusalFor, refusalForCode, type Refusal } from './refusal.ts';

/** What every call works with. */
export interface CallTools {
  readonly placement: Placement;
  readonly sip: SipServer;
  readonly announcer: Announcer;
  readonly journal: Journal;
  readonly metrics: GatewayMetrics;
  readonly log: Log;
  /** Takes the call out of the table. */
  forget(call: Call): void;
}

/** The INVITE that is being answered; gone once the call is up. */
export interface PendingInvite {
  readonly request: SipRequest;
  /** When the INVITE came, of performance.now(). */
  readonly receivedAtMs: number;
  /** Headers of the 200. */
  readonly headers: Readonly<Record<string, string>>;
}

/** One call: runs the effects of the state machine and turns what comes of them into its events. */
export class Call {
  readonly callId: CallId;
  readonly dialogId: string;
  readonly #tools: CallTools;
  readonly #log: Log;
  #state: CallState;
  #invite: PendingInvite | null;
  /** Of the INVITE: its branch names the transaction. Null for a call of the journal. */
  readonly #via: string | null;
  #record: CallRecord | null;
  #placed: { readonly worker: number; readonly legs: readonly Leg[] } | null = null;
  #failure: EarshotError | null = null;
  #endedAtMs: number | null = null;

  private constructor(
    callId: CallId,
    dialogId: string,
    tools: CallTools,
    from: { state: CallState; invite: PendingInvite | null; record: CallRecord | null },
  ) {
    this.callId = callId;
    this.dialogId = dialogId;
    this.#tools = tools;
    this.#log = tools.log.child({ callId });
    this.#state = from.state;
    this.#invite = from.invite;
    this.#via = from.invite?.request.header('via') ?? null;
    this.#record = from.record;
    if (from.record !== null) this.#placed = { worker: from.record.info.worker, legs: from.record.legs };
  }

  /** A call of the journal: its dialog is up, its leg is on its worker. */
  static adopted(record: CallRecord, tools: CallTools): Call {
    return new Call(record.info.callId, record.dialogId, tools, {
      // Whether the ACK came is not on record; a call is the same with and without it.
      state: { phase: 'unconfirmed' },
      invite: null,
      record,
    });
  }

  /** A new call. place() is to follow. */
  static incoming(callId: CallId, invite: PendingInvite, tools: CallTools): Call {
    const call = new Call(callId, invite.request.dialogId, tools, {
      state: { phase: 'placing' },
      invite,
      record: null,
    });
    call.#listen(invite);
    return call;
  }

  /**
   * The INVITE of this call once more: the SIP server offers what is unanswered again when its link to us, or our
   * predecessor, was lost. @returns false when it is another request (RFC 3261 section 8.2.2.2) or comes too late
   */
  offeredAgain(invite: PendingInvite): boolean {
    if (this.#via !== null && this.#via !== invite.request.header('via')) return false;
    switch (this.phase) {
      case 'placing':
        this.#listen(invite);
        return true;
      case 'answering':
      case 'unconfirmed':
        if (this.#record === null) return false;
        this.#listen(invite);
        void this.#answer();
        return true;
      default:
        return false;
    }
  }

  #listen(invite: PendingInvite): void {
    this.#invite = invite;
    invite.request.onCancel(() => this.dispatch({ type: 'cancel' }));
  }

  get phase(): CallState['phase'] {
    return this.#state.phase;
  }

  /** Null until a media worker has taken the call. */
  get record(): CallRecord | null {
    return this.#record;
  }

  /** The legs that should be on a worker now. */
  legsOn(worker: number): readonly Leg[] {
    const up = this.phase === 'answering' || this.phase === 'unconfirmed' || this.phase === 'live';
    return up && this.#placed?.worker === worker ? this.#placed.legs : [];
  }

  /** A worker may speak of a leg that was opened on another one because it did not answer in time. */
  hasLegOn(worker: number, legId: LegId): boolean {
    return this.isOn(worker) && this.#placed!.legs.some((leg) => leg.legId === legId);
  }

  isOn(worker: number): boolean {
    return this.#placed?.worker === worker;
  }

  /** Asks for ports and answers the INVITE, or refuses it. `complete` makes the record when the ports are known. */
  async place(
    leg: Leg,
    complete: (worker: number, ports: readonly ChannelPorts[]) => CallRecord,
  ): Promise<void> {
    let placed: Placed | null = null;
    try {
      placed = await this.#tools.placement.open(leg);
      this.#record = complete(placed.worker, placed.ports);
      this.#placed = { worker: placed.worker, legs: [leg] };
    } catch (error) {
      if (placed !== null) void this.#tools.placement.close(placed.worker, leg.legId);
      if (!isEarshotError(error)) this.#log.error({ err: error }, 'placing failed');
      this.#failure = isEarshotError(error)
        ? error
        : new EarshotError('INTERNAL', 'no leg', { cause: error });
    }
    this.dispatch(
      this.#failure === null ? { type: 'leg.opened' } : { type: 'leg.failed', code: this.#failure.code },
    );
  }

  /** Takes a renegotiated session: the journal has it before the answer goes out. */
  replaceRecord(record: CallRecord): void {
    const announce = JSON.stringify(record.info) !== JSON.stringify(this.#record?.info);
    this.#record = record;
    this.#placed = { worker: record.info.worker, legs: record.legs };
    this.#tools.journal.append({ type: 'updated', call: record, announce });
    if (announce) this.#tools.announcer.updated(record.info);
  }

  dispatch(event: CallEvent): void {
    const before = this.#state;
    const { state, effects } = step(before, event);
    this.#state = state;
    if (state.phase !== before.phase) {
      this.#log.debug({ event: event.type, from: before.phase, to: state.phase }, 'call state');
    }
    if (state.phase === 'closing' || state.phase === 'ended') this.#endedAtMs ??= Date.now();
    // On record at once: the dialog is over, and a gateway that comes after this one must not wait for its RTP.
    if (state.phase === 'closing' && before.phase !== 'closing') this.#recordEnd(state.reason, []);
    for (const effect of effects) this.#run(effect);
  }

  #run(effect: CallEffect): void {
    const { announcer, journal, metrics, sip } = this.#tools;
    switch (effect.type) {
      case 'announce': {
        const record = this.#record!;
        // On record before the 200: a gateway that dies in between finds the call.
        journal.append({ type: 'opened', call: record });
        announcer.started(record.info);
        break;
      }
      case 'answer':
        void this.#answer();
        break;
      case 'refuse':
        this.#refuse(
          this.#failure?.code === effect.code
            ? refusalFor(this.#failure)
            : refusalForCode(effect.code, 'the call was ended while it was being set up'),
        );
        break;
      case 'close.leg':
        void this.#closeLegs();
        break;
      case 'send.bye':
        // RFC 3326: a reason that the SBC's log shows.
        void sip.bye(this.dialogId, { Reason: `SIP;cause=200;text="${effect.reason}"` });
        break;
      case 'report.ended': {
        announcer.ended(this.callId, this.#recordEnd(effect.reason, effect.channels));
        metrics.calls.inc({ outcome: effect.reason });
        this.#log.info({ endReason: effect.reason }, 'call ended');
        break;
      }
      case 'forget':
        this.#tools.forget(this);
        break;
    }
  }

  #recordEnd(endReason: EndReason, channels: readonly ChannelTotals[]): CallEnd {
    const end = { endedAtMs: this.#endedAtMs ?? Date.now(), endReason, channels };
    this.#tools.journal.append({ type: 'ended', callId: this.callId, end });
    return end;
  }

  async #answer(): Promise<void> {
    const invite = this.#invite!;
    const result = await invite.request.respond(200, {
      headers: invite.headers,
      body: this.#record!.answer.sdp,
    });
    if (this.#invite === invite) this.#invite = null;
    if (result === 'sent') {
      this.#tools.metrics.setupSeconds.observe((performance.now() - invite.receivedAtMs) / 1000);
      this.dispatch({ type: 'answer.sent' });
    } else if (result !== 'unknown') {
      this.dispatch({ type: 'answer.failed', cancelled: result === 'cancelled' });
    }
    // Unknown: the link to the SIP server broke after the 200. An ACK, a BYE or the RTP time-out tells.
  }

  #refuse(refusal: Refusal): void {
    const { metrics } = this.#tools;
    metrics.calls.inc({ outcome: 'refused' });
    if (refusal.admission !== undefined) metrics.refusals.inc({ reason: refusal.admission });
    this.#log.warn({ status: refusal.status, reason: refusal.reason }, 'call refused');
    void this.#invite?.request.respond(refusal.status, refusal);
    this.#invite = null;
  }

  async #closeLegs(): Promise<void> {
    const { worker, legs } = this.#placed!;
    const totals: (readonly ChannelTotals[])[] = await Promise.all(
      legs.map((leg) => this.#tools.placement.close(worker, leg.legId)),
    );
    this.dispatch({ type: 'leg.closed', channels: totals.flat() });
  }
}
