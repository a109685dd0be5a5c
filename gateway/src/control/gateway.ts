import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import {
  EarshotError,
  isEarshotError,
  monoUs,
  newCallId,
  type CallId,
  sockets,
  type Leg,
  type ToCalls,
} from '@earshot/contracts';
import { addressCheck, type ChildContext, type Log } from '@earshot/platform';
import { Journal } from '../journal/journal.ts';
import type { CallRecord } from '../journal/record.ts';
import { Placement } from '../placement/placement.ts';
import type { SipRequest } from '../sip/request.ts';
import { SipServer } from '../sip/sip-server.ts';
import { Announcer } from './announcer.ts';
import { Call, type CallTools } from './call.ts';
import { InDialog } from './in-dialog.ts';
import { answerHeaders, startCall } from './incoming.ts';
import { createMetrics, methodLabel, type GatewayMetrics } from './metrics.ts';
import { ACCEPT, ALLOW, noSuchDialog, refusalFor, SUPPORTED, tooManyCalls, type Refusal } from './refusal.ts';

const CONNECT_LIMIT_MS = 20_000;
/** The SIP server gets at least this long, however long the media workers took. */
const LAST_TRY_MS = 1_000;
const DRAIN_LIMIT_MS = 2_000;
const FLUSH_LIMIT_MS = 500;

export type GatewaySettings = Pick<ChildContext, 'config' | 'log' | 'registry' | 'runDir'>;

/** SIP in, calls out: the call table, admission, and what each request means. */
export class Gateway {
  readonly #settings: GatewaySettings;
  readonly #log: Log;
  readonly #metrics: GatewayMetrics;
  readonly #journal: Journal;
  readonly #announcer: Announcer;
  readonly #placement: Placement;
  readonly #sip: SipServer;
  readonly #tools: CallTools;
  readonly #inDialog: InDialog;
  readonly #allowed: (address: string) => boolean;
  /** By the dialog's id. */
  readonly #calls = new Map<string, Call>();
  /** Calls of the journal that no worker can take up. */
  readonly #stale: CallRecord[] = [];
  #draining = false;
  #stopped = false;
  #whenEmpty: (() => void) | null = null;

  constructor(settings: GatewaySettings) {
    const { config, log, registry, runDir } = settings;
    this.#settings = settings;
    this.#log = log;
    this.#metrics = createMetrics(registry);
    this.#allowed = addressCheck(config.sipAllow);
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
        legs: (worker) => this.#legsOn(worker),
        hello: () => undefined,
        lost: (worker) => this.#eachCall((call) => call.isOn(worker), { type: 'worker.lost' }),
        legTimeout: (worker, legId) =>
          this.#eachCall((call) => call.hasLegOn(worker, legId), { type: 'leg.timeout' }),
        legFailed: (worker, legId) =>
          this.#eachCall((call) => call.hasLegOn(worker, legId), { type: 'fault' }),
      },
      log,
    );
    this.#sip = new SipServer(
      {
        host: config.drachtio.host ?? '127.0.0.1',
        port: config.drachtio.port,
        secret: config.drachtio.secret,
      },
      (request) => this.#receive(request),
      log,
    );
    this.#tools = {
      placement: this.#placement,
      sip: this.#sip,
      announcer: this.#announcer,
      journal: this.#journal,
      metrics: this.#metrics,
      log,
      forget: (call) => this.#forget(call),
    };
    this.#inDialog = new InDialog(this.#tools);
    this.#announcer.onPause = (callId, paused) => void this.#pause(callId, paused);
    this.#adopt(adopt);
  }

  /** @throws EarshotError DRACHTIO_UNREACHABLE, MEDIA_UNAVAILABLE when it is not ready within limitMs */
  async start(limitMs = CONNECT_LIMIT_MS): Promise<void> {
    const deadlineMs = performance.now() + limitMs;
    await this.#placement.whenReady(limitMs);
    await this.#sip.connect(Math.max(LAST_TRY_MS, deadlineMs - performance.now()));
    // Calls that cannot be taken up are ended, now that their BYE can be sent.
    for (const record of this.#stale.splice(0)) {
      const call = Call.adopted(record, this.#tools);
      this.#calls.set(call.dialogId, call);
      call.dispatch({ type: 'fault' });
    }
  }

  async #pause(callId: CallId, paused: boolean): Promise<void> {
    const call = [...this.#calls.values()].find((each) => each.callId === callId);
    if (call === undefined || call.phase === 'closing' || call.phase === 'ended') return;
    try {
      await this.#inDialog.pause(call, paused);
      this.#log.info({ callId, paused }, paused ? 'call paused' : 'call goes on');
    } catch (error) {
      this.#log.error({ err: error, callId, paused }, 'call could not be paused, or taken up');
    }
  }

  /** No new calls; the live ones are ended by us, within 2 s. */
  async drain(): Promise<void> {
    this.#draining = true;
    if (this.#calls.size > 0) {
      const empty = new Promise<void>((resolve) => (this.#whenEmpty = resolve));
      for (const call of [...this.#calls.values()]) call.dispatch({ type: 'hangup' });
      let timer: NodeJS.Timeout | undefined;
      const limit = new Promise<void>((resolve) => (timer = setTimeout(resolve, DRAIN_LIMIT_MS)));
      await Promise.race([empty, limit]);
      clearTimeout(timer);
    }
    await this.#announcer.flushed(FLUSH_LIMIT_MS);
    this.stop();
  }

  /** Lets go of every socket and file; calls stay as they are. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#sip.close();
    this.#placement.stop();
    this.#announcer.stop();
    this.#journal.close();
  }

  get liveCalls(): number {
    return this.#calls.size;
  }

  #adopt(entries: Journal['entries']): void {
    let live = 0;
    for (const { call: record, startedAcked, updatePending, end } of entries) {
      const { callId } = record.info;
      if (!startedAcked) this.#announcer.started(record.info);
      if (updatePending) this.#announcer.updated(record.info);
      if (end !== null) {
        this.#announcer.ended(callId, end);
        continue;
      }
      live++;
      if (isAdoptable(record, this.#placement)) {
        this.#calls.set(record.dialogId, Call.adopted(record, this.#tools));
      } else {
        this.#stale.push(record);
      }
    }
    this.#metrics.liveCalls.set(this.#calls.size);
    if (entries.length > 0) this.#log.info({ live, unreported: entries.length - live }, 'calls taken over');
  }

  #receive(request: SipRequest): void | Promise<void> {
    const { method } = request;
    this.#metrics.requests.inc({ method: methodLabel(method) });
    const call = this.#calls.get(request.dialogId);
    if (method === 'ACK') {
      return call === undefined ? undefined : this.#inDialog.ack(call, request);
    }
    if (!request.fromServer && !this.#allowed(request.source.address)) {
      return this.#refuse(request, refusalFor(new EarshotError('SOURCE_FORBIDDEN', 'not in SIP_ALLOW')));
    }
    if (request.toTag === null && !request.fromServer) {
      if (method === 'INVITE') return this.#invite(request, call);
      if (method === 'OPTIONS') return this.#options(request);
    }
    if (call === undefined) return this.#refuse(request, noSuchDialog);
    return this.#inDialog.receive(call, request);
  }

  #invite(request: SipRequest, known: Call | undefined): void {
    // Call zero: the instant of acceptance, in both clocks.
    const zero = { wallMs: Date.now(), monoUs: monoUs() };
    const { config } = this.#settings;
    if (this.#draining) {
      return this.#refuse(request, refusalFor(new EarshotError('NOT_READY', 'the gateway is going down')));
    }
    if (known !== undefined) {
      const again = { request, receivedAtMs: performance.now(), headers: answerHeaders(request) };
      if (known.offeredAgain(again)) return;
      // RFC 3261 section 8.2.2.2: the same request by another way.
      return this.#refuse(request, { status: 482, reason: 'Loop Detected' });
    }
    if (config.maxCalls !== null && this.#calls.size >= config.maxCalls) {
      return this.#refuse(request, tooManyCalls(config.maxCalls));
    }
    const callId = newCallId(zero.wallMs, randomBytes(10));
    try {
      const started = startCall(callId, request, zero, config, this.#tools);
      if (started.type === 'refused') return this.#refuse(request, started.refusal);
      this.#calls.set(started.call.dialogId, started.call);
      this.#metrics.liveCalls.set(this.#calls.size);
      void started.place();
    } catch (error) {
      if (!isEarshotError(error)) throw error;
      this.#refuse(request, refusalFor(error), error.message);
    }
  }

  #options(request: SipRequest): void {
    if (this.#draining || !this.#placement.ready) {
      // Kamailio's dispatcher and SBCs take a 503 as: send calls elsewhere.
      return this.#refuse(request, refusalFor(new EarshotError('NOT_READY', 'no media worker is connected')));
    }
    void request.respond(200, { headers: { Accept: ACCEPT, Allow: ALLOW, Supported: SUPPORTED } });
  }

  #refuse(request: SipRequest, refusal: Refusal, fault?: string): void {
    const { method } = request;
    this.#log.warn({ method, status: refusal.status, reason: refusal.reason, fault }, 'request refused');
    if (method === 'INVITE' && request.toTag === null) {
      this.#metrics.calls.inc({ outcome: 'refused' });
      if (refusal.admission !== undefined) this.#metrics.refusals.inc({ reason: refusal.admission });
    }
    void request.respond(refusal.status, refusal);
  }

  #forget(call: Call): void {
    if (this.#calls.get(call.dialogId) !== call) return;
    this.#calls.delete(call.dialogId);
    this.#metrics.liveCalls.set(this.#calls.size);
    if (this.#calls.size === 0) this.#whenEmpty?.();
  }

  #legsOn(worker: number): Leg[] {
    return [...this.#calls.values()].flatMap((call) => call.legsOn(worker));
  }

  #eachCall(which: (call: Call) => boolean, event: Parameters<Call['dispatch']>[0]): void {
    for (const call of [...this.#calls.values()]) if (which(call)) call.dispatch(event);
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
    }
  }
}

/** Not from before a reboot (the monotonic clock began again), and on a worker that there is. */
const isAdoptable = (record: CallRecord, placement: Placement): boolean =>
  record.legs.every((leg) => leg.zero.monoUs <= monoUs()) && placement.has(record.info.worker);
