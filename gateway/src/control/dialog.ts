import {
  EarshotError,
  isEarshotError,
  type CallId,
  type CallInfo,
  type ChannelTotals,
  type Leg,
  type LegId,
} from '@earshot/contracts';
import type { Log } from '@earshot/platform';
import { step, type CallEffect, type CallEvent, type CallState } from '../call/machine.ts';
import type { AgentRules } from '../dialects/index.ts';
import type { CallRecord } from '../journal/record.ts';
import type { Placed, Placement } from '../placement/placement.ts';
import type { SipRequest } from '../sip/request.ts';
import type { SipServer } from '../sip/sip-server.ts';
import type { Turns } from './turns.ts';
import type { DialogOfCall, WholeCall, WholeCallTools } from './whole-call.ts';
import type { WholeCalls } from './whole-calls.ts';
import { refusalFor, refusalForCode, type Refusal } from './refusal.ts';

/** What every call works with. */
export interface CallTools extends WholeCallTools {
  readonly placement: Placement;
  readonly sip: SipServer;
  readonly wholes: WholeCalls;
  /** Work on the sessions of calls; the whole call is whose it is. */
  readonly turns: Turns;
  /** Who is an agent, as it is configured. */
  readonly agents: AgentRules;
  /** Takes the call out of the table. */
  forget(dialog: Dialog): void;
}

/** A leg that a media worker took. */
export interface OpenedLeg extends Placed {
  readonly leg: Leg;
}

/** The INVITE that is being answered; gone once the call is up. */
export interface PendingInvite {
  readonly request: SipRequest;
  /** When the INVITE came, of performance.now(). */
  readonly receivedAtMs: number;
  /** Headers of the 200. */
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * One dialog of a call, mostly its only one: runs the effects of the state machine and turns what comes of them into its events.
 */
export class Dialog implements DialogOfCall {
  /** The call that this dialog is, or is a part of. */
  readonly whole: WholeCall;
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
  /** A re-INVITE of ours that refreshes the session is not answered yet. */
  isRefreshing = false;

  private constructor(
    whole: WholeCall,
    dialogId: string,
    tools: CallTools,
    from: { state: CallState; invite: PendingInvite | null; record: CallRecord | null },
  ) {
    this.whole = whole;
    this.dialogId = dialogId;
    this.#tools = tools;
    this.#log = tools.log.child({ callId: whole.callId });
    this.#state = from.state;
    this.#invite = from.invite;
    this.#via = from.invite?.request.header('via') ?? null;
    this.#record = from.record;
    if (from.record !== null) this.#placed = { worker: from.record.info.worker, legs: from.record.legs };
  }

  /** A call of the journal: its dialog is up, its leg is on its worker. */
  static adopted(whole: WholeCall, record: CallRecord, tools: CallTools): Dialog {
    const dialog = new Dialog(whole, record.dialogId, tools, {
      // Whether the ACK came is not on record; a call is the same with and without it.
      state: { phase: 'unconfirmed' },
      invite: null,
      record,
    });
    whole.add(dialog);
    return dialog;
  }

  /** A new call. place() is to follow. */
  static incoming(whole: WholeCall, invite: PendingInvite, tools: CallTools): Dialog {
    const dialog = new Dialog(whole, invite.request.dialogId, tools, {
      state: { phase: 'placing' },
      invite,
      record: null,
    });
    dialog.#listen(invite);
    whole.add(dialog);
    return dialog;
  }

  get callId(): CallId {
    return this.whole.callId;
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

  /** Answered, or being answered, and not over. */
  get isUp(): boolean {
    return this.phase === 'answering' || this.phase === 'unconfirmed' || this.phase === 'live';
  }

  /** Null until a media worker has taken the call. */
  get record(): CallRecord | null {
    return this.#record;
  }

  /** The legs that should be on a worker now. */
  legsOn(worker: number): readonly Leg[] {
    return this.isUp && this.#placed?.worker === worker ? this.#placed.legs : [];
  }

  /** A worker may speak of a leg that was opened on another one because it did not answer in time. */
  hasLegOn(worker: number, legId: LegId): boolean {
    return this.isOn(worker) && this.#placed!.legs.some((leg) => leg.legId === legId);
  }

  isOn(worker: number): boolean {
    return this.#placed?.worker === worker;
  }

  /**
   * Asks for ports and answers the INVITE, or refuses it.
   * @param open opens the leg
   * @param complete makes the record when the ports are known
   */
  async place(open: () => Promise<OpenedLeg>, complete: (opened: OpenedLeg) => CallRecord): Promise<void> {
    let opened: OpenedLeg | null = null;
    try {
      opened = await open();
      this.#record = complete(opened);
      this.#placed = { worker: opened.worker, legs: [opened.leg] };
    } catch (error) {
      if (opened !== null) void this.#tools.placement.close(opened.worker, opened.leg.legId);
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
    this.#record = record;
    this.#placed = { worker: record.info.worker, legs: record.legs };
    this.whole.changed(this, record);
  }

  /** Another dialog of the call changed what is known of it. */
  shareInfo(info: CallInfo): void {
    if (this.#record !== null) this.#record = { ...this.#record, info };
  }

  dispatch(event: CallEvent): void {
    const before = this.#state;
    const { state, effects } = step(before, event);
    this.#state = state;
    if (state.phase !== before.phase) {
      this.#log.debug({ event: event.type, from: before.phase, to: state.phase }, 'call state');
    }
    if (state.phase === 'closing' || state.phase === 'ended') this.#endedAtMs ??= Date.now();
    if (state.phase === 'closing' && before.phase !== 'closing') {
      this.whole.closing(this, state.reason, this.#endedAtMs!);
    }
    for (const effect of effects) this.#run(effect);
  }

  #run(effect: CallEffect): void {
    switch (effect.type) {
      case 'announce':
        this.whole.announce(this, this.#record!);
        break;
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
        void this.#tools.sip.bye(this.dialogId, { Reason: `SIP;cause=200;text="${effect.reason}"` });
        break;
      case 'report.ended':
        this.whole.ended(this, effect.reason, this.#endedAtMs ?? Date.now(), effect.channels);
        break;
      case 'forget':
        this.whole.left(this);
        this.#tools.forget(this);
        break;
    }
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
