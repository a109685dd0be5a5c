import { TRACE_TEXT_CHARS, type CallId, type CallZero, type TraceEntry } from '@earshot/contracts';
import { maskSecrets } from './mask.ts';

/** A SIP message that was received, or sent. */
export interface SeenMessage {
  readonly dialogId: string;
  /** Monotonic clock. */
  readonly atUs: number;
  readonly direction: 'in' | 'out';
  /** Empty where the SIP server does not say; likewise null. */
  readonly transport: string;
  readonly local: string | null;
  readonly remote: string | null;
  readonly text: string;
}

export interface TracedCall {
  readonly callId: CallId;
  readonly zero: CallZero;
}

/** Messages of one call that wait at most: a peer that sends more in that time loses those in the middle. */
const MOST_WAITING = 20;
/** Dialogs whose call is not known: an INVITE that is being placed, or was refused. */
const MOST_STRANGERS = 1000;
const MOST_STRANGE_CHARS = 8_000_000;
const STRANGER_US = 10_000_000;
/** The answer to a BYE is told of after the call has gone. */
const AFTERMATH_US = 30_000_000;
const SWEEP_US = 5_000_000;
/** Two messages of one microsecond need different names. */
const REMEMBERED = 32;

interface Trace {
  readonly call: TracedCall;
  waiting: TraceEntry[];
  /** atUs of the newest entries. */
  names: number[];
}

interface Dialog {
  trace: Trace | null;
  /** Messages from before the call was known. */
  early: SeenMessage[];
  transport: string;
  local: string | null;
  remote: string | null;
  touchedUs: number;
}

/** Whose message it is, under which time; hands on what is new. A call has one trace, however many dialogs it has. */
export class TraceBook {
  readonly #find: (dialogId: string) => TracedCall | null;
  readonly #dialogs = new Map<string, Dialog>();
  readonly #traces = new Map<CallId, Trace>();
  #strangers = 0;
  /** Length of their messages. */
  #strangeChars = 0;
  #sweptUs = 0;

  /** @param find the call that has the dialog now and is known to transcripts, or null */
  constructor(find: (dialogId: string) => TracedCall | null) {
    this.#find = find;
  }

  take(message: SeenMessage): void {
    if (message.text === '') return;
    const dialog = this.#dialog(message);
    dialog.touchedUs = message.atUs;
    if (message.transport !== '') dialog.transport = message.transport;
    if (message.local !== null) dialog.local = message.local;
    if (message.remote !== null) dialog.remote = message.remote;
    this.#settle(message.dialogId, dialog);
    if (dialog.trace !== null) this.#add(dialog.trace, dialog, message);
    else if (dialog.early.length < MOST_WAITING) {
      dialog.early.push(message);
      this.#strangeChars += message.text.length;
      if (this.#strangeChars > MOST_STRANGE_CHARS) this.#forgetStrangers();
    }
  }

  /**
   * Several times a second. @param send says false when it cannot take them now @param nowUs monotonic clock
   */
  flush(nowUs: number, send: (callId: CallId, entries: readonly TraceEntry[]) => boolean): void {
    if (this.#strangers > 0) {
      for (const [dialogId, dialog] of this.#dialogs) this.#settle(dialogId, dialog);
    }
    for (const trace of this.#traces.values()) {
      if (trace.waiting.length === 0) continue;
      const entries = trace.waiting.sort((a, b) => a.atUs - b.atUs);
      if (send(trace.call.callId, entries)) trace.waiting = [];
    }
    if (nowUs - this.#sweptUs >= SWEEP_US) this.#sweep(nowUs);
  }

  #dialog({ dialogId, atUs }: SeenMessage): Dialog {
    const known = this.#dialogs.get(dialogId);
    if (known !== undefined) return known;
    const dialog = { trace: null, early: [], transport: '', local: null, remote: null, touchedUs: atUs };
    this.#dialogs.set(dialogId, dialog);
    if (++this.#strangers > MOST_STRANGERS) this.#forgetStrangers();
    return dialog;
  }

  #settle(dialogId: string, dialog: Dialog): void {
    if (dialog.trace !== null) return;
    const call = this.#find(dialogId);
    if (call === null) return;
    this.#noStranger(dialog);
    let trace = this.#traces.get(call.callId);
    if (trace === undefined) this.#traces.set(call.callId, (trace = { call, waiting: [], names: [] }));
    dialog.trace = trace;
    for (const message of dialog.early.splice(0)) this.#add(trace, dialog, message);
  }

  #add(trace: Trace, dialog: Dialog, message: SeenMessage): void {
    let atUs = Math.max(0, message.atUs - trace.call.zero.monoUs);
    while (trace.names.includes(atUs)) atUs++;
    trace.names.push(atUs);
    if (trace.names.length > REMEMBERED) trace.names.shift();
    const { direction, transport, local, remote } = message;
    trace.waiting.push({
      atUs,
      direction,
      transport: transport === '' ? dialog.transport : transport,
      local: local ?? dialog.local,
      remote: remote ?? dialog.remote,
      text: shown(message.text),
      omitted: 0,
    });
    if (trace.waiting.length <= MOST_WAITING) return;
    const middle = MOST_WAITING / 2;
    const [gone] = trace.waiting.splice(middle, 1);
    const after = trace.waiting[middle]!;
    trace.waiting[middle] = { ...after, omitted: after.omitted + gone!.omitted + 1 };
  }

  #sweep(nowUs: number): void {
    this.#sweptUs = nowUs;
    const kept = new Set<Trace>();
    for (const [dialogId, dialog] of this.#dialogs) {
      const { trace, touchedUs } = dialog;
      const isOver = nowUs - touchedUs > (trace === null ? STRANGER_US : AFTERMATH_US);
      if (isOver && (trace === null || (trace.waiting.length === 0 && this.#find(dialogId) === null))) {
        this.#dialogs.delete(dialogId);
        if (trace === null) this.#noStranger(dialog);
      } else if (trace !== null) kept.add(trace);
    }
    for (const [callId, trace] of this.#traces) if (!kept.has(trace)) this.#traces.delete(callId);
  }

  /** The oldest go until the rest is within bounds. */
  #forgetStrangers(): void {
    for (const [dialogId, dialog] of this.#dialogs) {
      if (this.#strangers <= MOST_STRANGERS && this.#strangeChars <= MOST_STRANGE_CHARS) return;
      if (dialog.trace !== null) continue;
      this.#dialogs.delete(dialogId);
      this.#noStranger(dialog);
    }
  }

  #noStranger({ early }: Dialog): void {
    this.#strangers--;
    for (const { text } of early) this.#strangeChars -= text.length;
  }
}

/** Of a message of many times what is kept, the rest is not even looked at. */
function shown(text: string): string {
  const masked = maskSecrets(text.slice(0, 2 * TRACE_TEXT_CHARS));
  if (text.length <= 2 * TRACE_TEXT_CHARS && masked.length <= TRACE_TEXT_CHARS) return masked;
  const note = `\r\n[${text.length} characters in all]`;
  return masked.slice(0, TRACE_TEXT_CHARS - note.length) + note;
}
