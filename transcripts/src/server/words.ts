import { type CallId, type FromEngine, monoUs, partsOfChannel } from '@earshot/contracts';
import type { Log } from '@earshot/platform';
import { segmentViewOf } from '../assemble/segment.ts';
import type { CallDocument } from '../document/call.ts';
import type { ChannelDocument, Refusal } from '../document/channel.ts';
import type { LogItem } from '../log/items.ts';
import type { LiveBus } from './live-bus.ts';
import type { TranscriptsMetrics } from './metrics.ts';

type Spoken = Exclude<FromEngine, { type: 'hello' }>;
type Final = Extract<FromEngine, { type: 'final' }>;

/**
 * Finals wait for their call's call.started, which comes on another socket: for moments as a rule, for as long as a
 * gateway needs to come back at the worst. After the first limit that is worth a line in the log.
 */
const PARK_WARNING_MS = 30_000;
export const PARK_LIMIT_MS = 600_000;
const PARK_LIMIT_FINALS = 20_000;

export interface WordsDeps {
  readonly log: Log;
  readonly metrics: TranscriptsMetrics;
  readonly bus: LiveBus;
  readonly now: () => number;
  /** Runs use with the call's document, maybe later. */
  withCall(callId: CallId, use: (call: CallDocument) => void): void;
  /** The same, but where too much waits for a look-up of the call, dropped is called instead. */
  withCallOrDrop(callId: CallId, use: (call: CallDocument) => void, dropped: () => void): void;
  /** Queues a final for the log. */
  add(call: CallDocument, channel: ChannelDocument, item: LogItem, arrivalUs: number): void;
  /** The channel's accepted tick moved. */
  moved(call: CallDocument, channel: ChannelDocument): void;
}

interface Parked {
  readonly call: CallDocument;
  readonly sinceMs: number;
  warned: boolean;
  readonly finals: { channel: ChannelDocument; item: LogItem; arrivalUs: number }[];
}

/** The words arrow: engines' messages through the fence, finals to the log, partials to the live bus. */
export class Words {
  readonly #deps: WordsDeps;
  /** By call, longest waiting first. */
  readonly #parked = new Map<CallId, Parked>();
  #parkedFinals = 0;

  constructor(deps: WordsDeps) {
    this.#deps = deps;
  }

  receive(message: FromEngine): void {
    if (message.type === 'hello') {
      const { engine, pid, model } = message;
      this.#deps.log.info({ engine, pid, model }, 'engine connected');
      return;
    }
    let callId: CallId;
    try {
      ({ callId } = partsOfChannel(message.channel));
    } catch (error) {
      this.#refused('malformed', message);
      this.#deps.log.warn({ err: error }, 'message for no channel');
      return;
    }
    this.#deps.withCallOrDrop(
      callId,
      (call) => this.#take(call, call.channel(message.channel), message),
      () => this.#refused('look-up-full', message),
    );
  }

  /** The call's start is queued: the finals that waited for it follow. */
  known(call: CallDocument): void {
    const parked = this.#parked.get(call.callId);
    if (parked === undefined) return;
    this.#parked.delete(call.callId);
    this.#parkedFinals -= parked.finals.length;
    for (const { channel, item, arrivalUs } of parked.finals) this.#deps.add(call, channel, item, arrivalUs);
  }

  /** Gives up finals whose call nobody started, and says so. */
  sweep(): void {
    const nowMs = this.#deps.now();
    for (const parked of this.#parked.values()) {
      const { call, sinceMs, finals } = parked;
      if (nowMs - sinceMs >= PARK_LIMIT_MS || this.#parkedFinals > PARK_LIMIT_FINALS) {
        this.#giveUp(parked);
      } else if (nowMs - sinceMs >= PARK_WARNING_MS && !parked.warned) {
        parked.warned = true;
        this.#deps.log.warn(
          { callId: call.callId, finals: finals.length },
          'finals wait for a call that did not start',
        );
      }
    }
  }

  #giveUp({ call, finals }: Parked): void {
    this.#parked.delete(call.callId);
    this.#parkedFinals -= finals.length;
    // What they settled is not settled: a later attempt is to speak it again.
    for (const channel of new Set(finals.map((final) => final.channel))) channel.discard();
    call.discarded = true;
    // Remembered for as long as if words had come now.
    this.#deps.withCall(call.callId, () => undefined);
    this.#deps.metrics.wordsDropped.inc({ reason: 'call-unknown' }, finals.length);
    this.#deps.log.error(
      { callId: call.callId, finals: finals.length },
      'finals of a call that never started given up, later ones are not taken until its channels are announced again',
    );
  }

  #take(call: CallDocument, channel: ChannelDocument, message: Spoken): void {
    switch (message.type) {
      case 'partial':
        this.#partial(call, channel, message);
        break;
      case 'final':
        this.#final(call, channel, message);
        break;
      case 'progress':
        this.#settle(call, channel, message.attempt, message.settledTick);
        break;
      case 'ended':
        this.#ended(call, channel, message.attempt, message.tick);
        break;
    }
  }

  #partial(
    call: CallDocument,
    channel: ChannelDocument,
    message: Extract<Spoken, { type: 'partial' }>,
  ): void {
    const { attempt, fromTick, words } = message;
    // What was heard turned out to be nothing: time may be settled beyond it by now.
    const takesBack = words.length === 0 && fromTick === channel.shownFromTick;
    const refusal = takesBack ? channel.admit(attempt) : channel.admitPartial(attempt, fromTick);
    if (refusal !== null) {
      this.#refused(refusal, message);
      return;
    }
    // A call that catches up has nothing to show of this moment, and its words have waited long already.
    if (!takesBack && (words.length === 0 || call.recognition !== 'current')) return;
    channel.shownFromTick = takesBack ? null : fromTick;
    const role = call.roleOf(channel.index);
    this.#deps.bus.partial(channel.channel, {
      type: 'partial',
      callId: call.callId,
      attempt,
      rev: message.rev,
      segment: segmentViewOf(channel.channel, role, fromTick, words, { partial: true }),
      arrivalUs: message.arrivalUs,
    });
  }

  #final(call: CallDocument, channel: ChannelDocument, message: Final): void {
    const { attempt, fromTick, toTick, words, arrivalUs, endpoint } = message;
    const refusal = channel.accept(attempt, fromTick, toTick, words.length > 0);
    if (refusal !== null) {
      this.#refused(refusal, message);
      return;
    }
    channel.shownFromTick = null;
    this.#deps.bus.settled(channel.channel);
    if (words.length > 0) {
      const item: LogItem = {
        kind: 'segment',
        callId: call.callId,
        channel: channel.channel,
        index: channel.index,
        fromTick,
        toTick,
        words,
        ...(endpoint === undefined ? {} : { endpoint }),
      };
      if (call.known) this.#deps.add(call, channel, item, arrivalUs);
      else this.#park(call, channel, item, arrivalUs);
    }
    this.#deps.moved(call, channel);
  }

  #settle(call: CallDocument, channel: ChannelDocument, attempt: number, tick: number): void {
    const refusal = channel.settle(attempt, tick);
    // Silence of an old attempt is no word: nothing is lost, nothing is counted.
    if (refusal === null) this.#deps.moved(call, channel);
  }

  /** Its media worker says so too, on another socket: whichever is first, the log has the end with the last tick. */
  #ended(call: CallDocument, channel: ChannelDocument, attempt: number, tick: number): void {
    if (channel.endTick === null && channel.admit(attempt) === null) channel.supposeEnd(tick);
    this.#settle(call, channel, attempt, tick);
  }

  #park(call: CallDocument, channel: ChannelDocument, item: LogItem, arrivalUs: number): void {
    const parked = this.#parked.get(call.callId) ?? {
      call,
      sinceMs: this.#deps.now(),
      warned: false,
      finals: [],
    };
    this.#parked.set(call.callId, parked);
    parked.finals.push({ channel, item, arrivalUs });
    this.#parkedFinals++;
  }

  #refused(reason: Refusal | 'look-up-full', message: Spoken): void {
    if (message.type === 'partial' || message.type === 'final')
      this.#deps.metrics.wordsDropped.inc({ reason });
    if (message.type !== 'final') return;
    const { channel, attempt, fromTick } = message;
    this.#deps.log.debug({ reason, channel, attempt, fromTick }, 'final not taken');
  }
}

/** Seconds from an arrival (monotonic microseconds) to now. */
export const secondsSince = (arrivalUs: number): number => Math.max(0, (monoUs() - arrivalUs) / 1e6);
