import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import {
  EarshotError,
  isEarshotError,
  monoUs,
  newCallId,
  type CallId,
  sockets,
  type EngineRow,
  type ToCalls,
} from '@earshot/contracts';
import type { ChildContext, Log } from '@earshot/platform';
import type { Live } from '../admission/admission.ts';
import { Setups } from '../admission/setups.ts';
import { Journal } from '../journal/journal.ts';
import { dialogsOf, type CallRecord } from '../journal/record.ts';
import { Placement } from '../placement/placement.ts';
import type { SipRequest } from '../sip/request.ts';
import { SipServer } from '../sip/sip-server.ts';
import { Announcer } from './announcer.ts';
import { recognitionBegun } from './deferral.ts';
import { type CallTools, Dialog } from './dialog.ts';
import { Dialogs } from './dialogs.ts';
import { Door } from './door.ts';
import { InDialog } from './in-dialog.ts';
import { answerHeaders, continuesCall, startCall } from './incoming.ts';
import { LogLimit } from './log-limit.ts';
import { SessionTimers } from './session-timers.ts';
import { Turns } from './turns.ts';
import { WholeCalls } from './whole-calls.ts';
import { createMetrics, methodLabel, type GatewayMetrics } from './metrics.ts';
import { ACCEPT, ALLOW, badExtension, noSuchDialog, refusalFor, SUPPORTED, type Refusal } from './refusal.ts';
import { unknownOptions } from './session-headers.ts';
import { Traces } from './traces.ts';

const CONNECT_LIMIT_MS = 20_000;
/** The SIP server gets at least this long, however long the media workers took. */
const LAST_TRY_MS = 1_000;
const DRAIN_LIMIT_MS = 2_000;
const FLUSH_LIMIT_MS = 500;
/** A caller chooses its Call-ID; usual ones have 40 to 80 characters. */
const MAX_LOGGED_CALL_ID = 200;

export type GatewaySettings = Pick<ChildContext, 'config' | 'log' | 'registry' | 'runDir'> & {
  /** The monotonic clock that session timers go by, milliseconds. Left out: that of the machine. */
  readonly nowMs?: () => number;
};

/** SIP in, calls out: the call table, admission, and what each request means. */
export class Gateway {
  readonly #settings: GatewaySettings;
  readonly #log: Log;
  readonly #metrics: GatewayMetrics;
  readonly #journal: Journal;
  readonly #announcer: Announcer;
  readonly #traces: Traces;
  readonly #placement: Placement;
  readonly #sip: SipServer;
  readonly #wholes: WholeCalls;
  readonly #tools: CallTools;
  readonly #inDialog: InDialog;
  readonly #timers: SessionTimers;
  readonly #door: Door;
  readonly #setups = new Setups();
  readonly #logLimit = new LogLimit();
  readonly #dialogs = new Dialogs();
  /** Dialogs of the journal that no worker can take up. */
  readonly #stale: Dialog[] = [];
  #callsBefore = 0;
  #ending = false;
  #stopped = false;

  constructor(settings: GatewaySettings) {
    const { config, log, registry, runDir } = settings;
    this.#settings = settings;
    this.#log = log;
    this.#door = new Door(config);
    this.#metrics = createMetrics(registry, () => ({
      draining: this.#door.draining,
      capacity: this.#door.capacity(this.#live()),
      headroom: this.#door.headroom,
    }));
    this.#journal = new Journal(join(config.dataDir, 'gateway'), log);
    this.#announcer = new Announcer(
      join(runDir, sockets.calls),
      (message, newest) => this.#acknowledged(message, newest),
      log,
    );
    // The table is complete before a media worker can say hello: it is told then which legs it has.
    const adopt = this.#journal.entries;
    this.#placement = new Placement(
      runDir,
      config.mediaWorkers,
      {
        legs: (worker) => this.#dialogs.legsOn(worker),
        hello: () => undefined,
        lost: (worker) => this.#dialogs.tell({ type: 'worker.lost' }, worker),
        legTimeout: (worker, legId) => this.#dialogs.tell({ type: 'leg.timeout' }, worker, legId),
        legFailed: (worker, legId) => this.#dialogs.tell({ type: 'fault' }, worker, legId),
        recognitionBegun: (callId) => this.#recognitionBegun(callId),
      },
      log,
    );
    this.#traces = new Traces(this.#announcer, (dialogId) => {
      const record = this.#dialogs.get(dialogId)?.record ?? null;
      return record === null ? null : { callId: record.info.callId, zero: record.legs[0]!.zero };
    });
    this.#sip = new SipServer(
      {
        host: config.drachtio.host ?? '127.0.0.1',
        port: config.drachtio.port,
        secret: config.drachtio.secret,
      },
      (request) => this.#receive(request),
      log,
      (message) => this.#traces.take(message),
    );
    const nowMs = settings.nowMs ?? ((): number => monoUs() / 1000);
    this.#wholes = new WholeCalls(
      { announcer: this.#announcer, journal: this.#journal, metrics: this.#metrics, log, nowMs },
      (calls) => this.#counted(calls),
    );
    this.#tools = {
      placement: this.#placement,
      sip: this.#sip,
      announcer: this.#announcer,
      journal: this.#journal,
      metrics: this.#metrics,
      wholes: this.#wholes,
      turns: new Turns(),
      log,
      agents: config.agents,
      nowMs,
      forget: (dialog) => this.#dialogs.remove(dialog),
    };
    this.#inDialog = new InDialog(this.#tools);
    this.#timers = new SessionTimers(this.#tools);
    this.#announcer.onPause = (callId, paused) => void this.#pause(callId, paused);
    this.#adopt(adopt);
  }

  /** @throws EarshotError DRACHTIO_UNREACHABLE, MEDIA_UNAVAILABLE when it is not ready within limitMs */
  async start(limitMs = CONNECT_LIMIT_MS): Promise<void> {
    const deadlineMs = performance.now() + limitMs;
    await this.#placement.whenReady(limitMs);
    await this.#sip.connect(Math.max(LAST_TRY_MS, deadlineMs - performance.now()));
    this.#timers.start(() => this.#dialogs.all);
    this.#wholes.start();
    // Calls that cannot be taken up are ended, now that their BYE can be sent.
    for (const dialog of this.#stale.splice(0)) {
      this.#dialogs.add(dialog);
      dialog.dispatch({ type: 'fault' });
    }
  }

  async #pause(callId: CallId, paused: boolean): Promise<void> {
    const whole = this.#wholes.byId(callId);
    if (whole === undefined) return;
    try {
      await this.#inDialog.pause(whole, paused);
      this.#log.info({ callId, paused }, paused ? 'call paused' : 'call goes on');
    } catch (error) {
      this.#log.error({ err: error, callId, paused }, 'call could not be paused, or taken up');
      this.#announcer.pauseFailed(callId, paused);
    }
  }

  /** No new calls; the live ones are ended by us, within 2 s. */
  async drain(): Promise<void> {
    this.#ending = true;
    this.#wholes.finishWaiting();
    if (this.#dialogs.size > 0) {
      const empty = this.#dialogs.empty();
      for (const dialog of this.#dialogs.all) dialog.dispatch({ type: 'hangup' });
      let timer: NodeJS.Timeout | undefined;
      const limit = new Promise<void>((resolve) => (timer = setTimeout(resolve, DRAIN_LIMIT_MS)));
      await Promise.race([empty, limit]);
      clearTimeout(timer);
    }
    this.#traces.flush();
    await this.#announcer.flushed(FLUSH_LIMIT_MS);
    this.stop();
  }

  /** Lets go of every socket and file; calls stay as they are. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#timers.stop();
    this.#wholes.stop();
    this.#traces.stop();
    this.#sip.close();
    this.#placement.stop();
    this.#announcer.stop();
    this.#journal.close();
  }

  get liveCalls(): number {
    return this.#wholes.size;
  }

  /** Host's engine table, once a second. */
  engines(rows: readonly EngineRow[]): void {
    this.#door.engines(rows, this.#placement.catchingUp);
  }

  /** Takes new calls, or none while live ones go on to their end. */
  setAdmission(open: boolean): void {
    if (this.#door.draining === !open) return;
    this.#door.draining = !open;
    this.#log.warn({ live: this.#dialogs.size }, open ? 'new calls are taken again' : 'draining');
  }

  #adopt(entries: Journal['entries']): void {
    let live = 0;
    for (const entry of entries) {
      const { call: record, startedAcked, updatePending, end, waiting } = entry;
      const { callId } = record.info;
      if (!startedAcked) this.#announcer.started(record.info);
      if (updatePending) this.#announcer.updated(record.info);
      if (end !== null) {
        this.#announcer.ended(callId, end);
        continue;
      }
      live++;
      const whole = this.#wholes.adopt(entry);
      if (waiting !== undefined && waiting !== null) continue;
      for (const dialog of dialogsOf(entry)) {
        const adopted = Dialog.adopted(whole, dialog, this.#tools);
        if (isAdoptable(dialog, this.#placement)) this.#dialogs.add(adopted);
        else this.#stale.push(adopted);
      }
    }
    if (entries.length > 0) this.#log.info({ live, unreported: entries.length - live }, 'calls taken over');
  }

  #receive(request: SipRequest): void | Promise<void> {
    const { method } = request;
    this.#metrics.requests.inc({ method: methodLabel(method) });
    const dialog = this.#dialogs.get(request.dialogId);
    const forbidden = request.fromServer ? null : this.#door.source(request);
    if (method === 'ACK') {
      return dialog === undefined || forbidden !== null ? undefined : this.#inDialog.ack(dialog, request);
    }
    if (forbidden !== null) return this.#refuse(request, forbidden);
    if (request.toTag === null && !request.fromServer) {
      if (method === 'INVITE') return this.#invite(request, dialog);
      if (method === 'OPTIONS') return this.#options(request);
    }
    if (dialog === undefined) return this.#refuse(request, noSuchDialog);
    return this.#inDialog.receive(dialog, request);
  }

  #invite(request: SipRequest, known: Dialog | undefined): void {
    // Call zero: the instant of acceptance, in both clocks.
    const zero = { wallMs: Date.now(), monoUs: monoUs() };
    const { config } = this.#settings;
    if (this.#ending) {
      return this.#refuse(request, refusalFor(new EarshotError('NOT_READY', 'the gateway is going down')));
    }
    if (known !== undefined) {
      const again = { request, receivedAtMs: performance.now(), headers: answerHeaders(request) };
      if (known.offeredAgain(again)) return;
      // RFC 3261 section 8.2.2.2: the same request by another way.
      return this.#refuse(request, { status: 482, reason: 'Loop Detected' });
    }
    const { overloaded, endedWaiting, diskScarce } = this.#placement;
    const media = { late: overloaded || this.#setups.piledUp(performance.now()), endedWaiting, diskScarce };
    const isPart = (): boolean => continuesCall(request, this.#tools);
    const entry = this.#door.invite(request, this.#live(), media, isPart);
    if (entry.type === 'refused') return this.#refuse(request, entry.refusal);
    const callId = newCallId(zero.wallMs, randomBytes(10));
    try {
      const started = startCall(callId, request, zero, config, entry.deferred, this.#tools);
      if (started.type === 'refused') return this.#refuse(request, started.refusal);
      if (entry.deferred) this.#metrics.recordedFirst.inc();
      this.#dialogs.add(started.dialog);
      this.#setups.began(started.dialog, performance.now());
      void started.place().finally(() => this.#setups.done(started.dialog));
    } catch (error) {
      if (!isEarshotError(error)) throw error;
      this.#refuse(request, refusalFor(error), error.message);
    }
  }

  /**
   * Kamailio's dispatcher and SBCs take a 503 as: send no calls here. A node that is merely full says 200: a probe comes every
   * few seconds, a place comes free meanwhile, and a call that finds none is refused at once.
   */
  #options(request: SipRequest): void {
    if (this.#ending || !this.#placement.ready) {
      return this.#refuse(request, refusalFor(new EarshotError('NOT_READY', 'no media worker is connected')));
    }
    const unknown = unknownOptions(request);
    if (unknown.length > 0) return this.#refuse(request, badExtension(unknown));
    const live = this.#live();
    const { drained } = this.#door;
    if (drained !== null) return this.#refuse(request, drained);
    const headers = {
      Accept: ACCEPT,
      Allow: ALLOW,
      Supported: SUPPORTED,
      'X-Earshot-Load': this.#door.load(live),
    };
    void request.respond(200, { headers });
  }

  #refuse(request: SipRequest, refusal: Refusal, fault?: string): void {
    const { method } = request;
    const { status, reason, admission, challenge } = refusal;
    const heldBack = admission === undefined ? 0 : this.#logLimit.take(admission, performance.now());
    if (challenge === undefined && heldBack !== null) {
      // Enough to find the caller and its trace by; no number and no name.
      const source = request.source.address;
      const sipCallId = request.callId.slice(0, MAX_LOGGED_CALL_ID);
      this.#log.warn(
        { method, status, reason, fault, source, sipCallId, ...(heldBack > 0 ? { heldBack } : {}) },
        'request refused',
      );
    }
    if (method === 'INVITE' && request.toTag === null && challenge === undefined) {
      this.#metrics.calls.inc({ outcome: 'refused' });
      if (admission !== undefined) this.#metrics.refusals.inc({ reason: admission });
    }
    void request.respond(status, refusal);
  }

  #live(): Live {
    return this.#dialogs.live(this.#wholes.size);
  }

  #recognitionBegun(callId: CallId): void {
    const whole = this.#wholes.byId(callId);
    if (whole === undefined) return;
    this.#log.info({ callId }, 'recognition of a call begins that was recorded first');
    void recognitionBegun(whole, this.#tools);
  }

  /** The number of calls changed; of those with several dialogs only the last one's end is theirs. */
  #counted(calls: number): void {
    if (calls < this.#callsBefore) this.#door.left();
    this.#callsBefore = calls;
    this.#metrics.liveCalls.set(calls);
  }

  #acknowledged(message: ToCalls, newest: boolean): void {
    switch (message.type) {
      case 'call.started':
        this.#journal.append({ type: 'acked', callId: message.call.callId, what: 'started' });
        break;
      case 'call.updated':
        if (newest) this.#journal.append({ type: 'acked', callId: message.call.callId, what: 'updated' });
        break;
      case 'call.ended':
        this.#journal.append({ type: 'settled', callId: message.callId });
        break;
      case 'call.trace':
      case 'call.pause.failed':
        // Not in the journal: a trace that is lost with the gateway is no fault of the call.
        break;
    }
  }
}

/** Not from before a reboot (the monotonic clock began again), and on a worker that there is. */
const isAdoptable = (record: CallRecord, placement: Placement): boolean =>
  record.legs.every((leg) => leg.zero.monoUs <= monoUs()) && placement.has(record.info.worker);
