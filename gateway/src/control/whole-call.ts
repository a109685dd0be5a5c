import type {
  CallId,
  CallInfo,
  CallZero,
  ChannelTotals,
  EndReason,
  RecognitionConfig,
} from '@earshot/contracts';
import type { Stitch } from '../dialects/index.ts';
import type { CallEnd, CallRecord, Waiting } from '../journal/record.ts';
import { MAX_CHANNELS } from '../call/session.ts';
import type { CallState } from '../call/machine.ts';
import type { Journal } from '../journal/journal.ts';
import type { Log } from '@earshot/platform';
import type { Announcer } from './announcer.ts';
import type { GatewayMetrics } from './metrics.ts';

/** A dialog that is to follow another one (NetSapiens) is waited for so long. */
const CHAIN_WAIT_MS = 10_000;

/** What every leg of a call has in common. */
export interface CommonSettings {
  readonly zero: CallZero;
  readonly rtpTimeoutS: number;
  readonly record: boolean;
  /** It is recorded first, and recognised when there is room. */
  readonly deferred?: boolean;
  readonly recognition?: RecognitionConfig;
}

/** What a whole call works with. */
export interface WholeCallTools {
  readonly announcer: Announcer;
  readonly journal: Journal;
  readonly metrics: GatewayMetrics;
  readonly log: Log;
  /** The monotonic clock that all processes of the machine share, milliseconds. */
  readonly nowMs: () => number;
}

/** What a whole call sees of a dialog. */
export interface DialogOfCall {
  readonly dialogId: string;
  readonly phase: CallState['phase'];
  /** Answered, or being answered, and not over. */
  readonly isUp: boolean;
  /** Null until a media worker has taken it. */
  readonly record: CallRecord | null;
  /** Takes a renegotiated session: the journal has it before the answer goes out. */
  replaceRecord(record: CallRecord): void;
  /** Another dialog of the call changed what is known of it. */
  shareInfo(info: CallInfo): void;
}

/**
 * A call as everybody else sees it. Most have one dialog; those of Cisco CUCM's built-in bridge have two at a time, and those of
 * NetSapiens one after the other. It is announced with the first dialog and reported as ended with the last.
 */
export class WholeCall {
  readonly callId: CallId;
  /** Its media worker has not begun to recognise it. */
  deferred: boolean;
  readonly #common: Omit<CommonSettings, 'deferred'>;
  readonly stitch: Stitch | null;
  readonly #tools: WholeCallTools;
  readonly #gone: (whole: WholeCall) => void;
  /** Dialogs that did not report their end yet. */
  readonly #dialogs = new Set<DialogOfCall>();
  readonly #totals: ChannelTotals[] = [];
  #info: CallInfo | null;
  /** The first dialog found no media worker, or was given up before. */
  #failed = false;
  #end: Omit<CallEnd, 'channels'> | null = null;
  /** Until when the next dialog is waited for, of the tools' clock; null while there is one. */
  #waitUntilMs: number | null = null;
  /** Those that are to join wait for the first dialog's worker. */
  #whenKnown: ((info: CallInfo | null) => void)[] = [];

  /**
   * @param info of a call that was announced by a gateway before this one; null for a new one
   * @param gone the call is over
   */
  constructor(
    parts: {
      readonly callId: CallId;
      readonly common: CommonSettings;
      readonly stitch: Stitch | null;
      readonly info: CallInfo | null;
    },
    tools: WholeCallTools,
    gone: (whole: WholeCall) => void,
  ) {
    this.callId = parts.callId;
    const { deferred = false, ...common } = parts.common;
    this.deferred = deferred;
    this.#common = common;
    this.stitch = parts.stitch;
    this.#info = parts.info;
    this.#tools = tools;
    this.#gone = gone;
  }

  get common(): CommonSettings {
    return this.deferred ? { ...this.#common, deferred: true } : this.#common;
  }

  /** Null until the first dialog has its media worker. */
  get info(): CallInfo | null {
    return this.#info;
  }

  get dialogs(): readonly DialogOfCall[] {
    return [...this.#dialogs];
  }

  /** The last dialog is gone, and another is waited for. */
  get isWaiting(): boolean {
    return this.#waitUntilMs !== null;
  }

  /** Whether a further dialog with so many streams may become part of it. */
  takes(streams: number): boolean {
    const open = this.isWaiting || [...this.#dialogs].some((call) => call.phase === 'placing' || call.isUp);
    return open && !this.#failed && (this.#info?.channels.length ?? streams) + streams <= MAX_CHANNELS;
  }

  /** A dialog is to be part of it; it reports its end or leaves. */
  add(call: DialogOfCall): void {
    this.#dialogs.add(call);
  }

  /** @returns what is known of the call once its first dialog is placed; null when it could not be */
  known(): Promise<CallInfo | null> {
    if (this.#info !== null || this.#failed) return Promise.resolve(this.#info);
    return new Promise((resolve) => this.#whenKnown.push(resolve));
  }

  /** A dialog is about to be answered: on record before its 200, so that a gateway that dies in between finds it. */
  announce(call: DialogOfCall, record: CallRecord): void {
    const isFirst = this.#info === null;
    this.#waitUntilMs = null;
    this.#tools.journal.append({ type: isFirst ? 'opened' : 'joined', call: record });
    this.#share(call, record.info);
    if (isFirst) this.#tools.announcer.started(record.info);
    else this.#tools.announcer.updated(record.info);
  }

  /** A dialog's session changed: the journal has it before the answer goes out. */
  changed(call: DialogOfCall, record: CallRecord): void {
    const announce = JSON.stringify(record.info) !== JSON.stringify(this.#info);
    this.#tools.journal.append({ type: 'updated', call: record, announce });
    this.#share(call, record.info);
    if (announce) this.#tools.announcer.updated(record.info);
  }

  #share(by: DialogOfCall, info: CallInfo): void {
    this.#info = info;
    for (const call of this.#dialogs) if (call !== by) call.shareInfo(info);
    for (const tell of this.#whenKnown.splice(0)) tell(info);
  }

  /** Nothing is kept of the call while it waits for its next dialog, or it is again. */
  pauseWaiting(paused: boolean): void {
    const info = this.#info;
    if (!this.isWaiting || info === null) return;
    this.#info = { ...info, paused };
    this.#tools.journal.append({ type: 'described', info: this.#info });
    this.#tools.announcer.updated(this.#info);
  }

  /** A dialog is over, its leg is being closed: a gateway that comes after this one must not wait for its RTP. */
  closing(call: DialogOfCall, endReason: EndReason, endedAtMs: number): void {
    const { callId } = this;
    const others = [...this.#dialogs].some((each) => each !== call && each.isUp);
    if (others || this.#isToWait(endReason)) {
      const waiting = others ? null : this.#waitingFrom({ endedAtMs, endReason });
      this.#tools.journal.append({ type: 'left', callId, dialogId: call.dialogId, waiting });
      // From now on: the next dialog comes at once, and the leg takes a moment to close.
      if (waiting !== null) this.wait(waiting);
      return;
    }
    this.#tools.journal.append({ type: 'ended', callId, end: { endedAtMs, endReason, channels: [] } });
  }

  /** A dialog is over and its leg is closed. */
  ended(
    call: DialogOfCall,
    endReason: EndReason,
    endedAtMs: number,
    channels: readonly ChannelTotals[],
  ): void {
    this.#totals.push(...channels);
    this.#end = { endedAtMs, endReason };
    this.left(call);
  }

  /** A dialog is no more, also one that never came to anything. */
  left(call: DialogOfCall): void {
    if (!this.#dialogs.delete(call)) return;
    // The first one found no place: those that were to join it find none either.
    if (this.#info === null) {
      this.#failed = true;
      for (const tell of this.#whenKnown.splice(0)) tell(null);
    }
    if (this.#dialogs.size > 0) return;
    if (this.#info === null) this.#gone(this);
    else if (!this.isWaiting) this.finish();
  }

  /** A chain goes on after a BYE, and after nothing else. */
  #isToWait(endReason: EndReason): boolean {
    return this.stitch?.kind === 'chain' && endReason === 'bye';
  }

  #waitingFrom(end: Omit<CallEnd, 'channels'>): Waiting {
    return { ...end, untilMs: this.#tools.nowMs() + CHAIN_WAIT_MS };
  }

  /** Waits for the next dialog; without one the call has ended when the last one did. */
  wait({ untilMs, endedAtMs, endReason }: Waiting): void {
    this.#end = { endedAtMs, endReason };
    // The clock of a journal from before a reboot was another one.
    this.#waitUntilMs = Math.min(untilMs, this.#tools.nowMs() + CHAIN_WAIT_MS);
    this.#tools.log.info({ callId: this.callId }, 'call waits for its next dialog');
  }

  /** Ends it when it has waited long enough; not while a dialog that is to join is being placed. */
  check(nowMs: number): void {
    if (this.#waitUntilMs !== null && nowMs >= this.#waitUntilMs && this.#dialogs.size === 0) this.finish();
  }

  /** No further dialog comes. */
  finish(): void {
    this.#waitUntilMs = null;
    const { callId } = this;
    const end: CallEnd = {
      ...(this.#end ?? { endedAtMs: Date.now(), endReason: 'error' }),
      channels: this.#totals,
    };
    this.#tools.journal.append({ type: 'ended', callId, end });
    this.#tools.announcer.ended(callId, end);
    this.#tools.metrics.calls.inc({ outcome: end.endReason });
    this.#tools.log.info({ callId, endReason: end.endReason }, 'call ended');
    this.#gone(this);
  }
}
