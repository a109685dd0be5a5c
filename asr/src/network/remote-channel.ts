import type { ChannelId, Endpoint, Word } from '@earshot/contracts';
import type { ChannelOpening } from '../engine/channel.ts';
import type { ChannelOwner, LostCode, WordsSink } from '../engine/sink.ts';
import type { IgnoredReason, RemoteEvent, RemoteProtocol, RemoteWord, StreamSettings } from './protocol.ts';
import { type NextInput, RemoteInput } from './remote-input.ts';
import { CREDIT_WINDOW_TICKS, Reports } from './reports.ts';
import { Segments } from './segments.ts';
import type { Session, SessionFailure, SessionHandlers } from './session.ts';
import { StreamMap } from './stream-map.ts';

/** A sender beyond twice its credit is broken. */
const QUEUE_LIMIT_SAMPLES = 2 * CREDIT_WINDOW_TICKS + 8000;
/** A message to the server. Media sends every 100 ms; Vosk works in steps of 200 ms and answers each message. */
const LEAST_MESSAGE_SAMPLES = 1600;
const MOST_MESSAGE_SAMPLES = 4000;
/**
 * Sent and not taken: beyond it audio waits here, and a replay goes as fast as the server. 25 messages: the Python server of Vosk
 * stops reading, pongs as well, when 32 wait.
 */
const IN_FLIGHT_SAMPLES = 5 * 8000;
const IN_FLIGHT_BYTES = 512 * 1024;
/** A server that only tells what arrived has said all of it so long after, if no word is open. */
const QUIET_AFTER_MS = 2000;
/** And is asked for its last words when one is. */
const IMPATIENT_AFTER_MS = 5000;

/** What a channel needs of the engine around it. */
export interface ChannelPorts {
  readonly protocol: RemoteProtocol;
  readonly sink: WordsSink;
  /** A stream begins anew after so long, in a quiet moment: servers limit sessions, and count seconds in few digits. */
  readonly rotateAfterMs: number;
  readonly nowMs: () => number;
  /** @returns null: not now, pump() is called again when it may be tried */
  dial(settings: StreamSettings, handlers: SessionHandlers): Session | null;
  release(session: Session): void;
  lose(channel: RemoteChannel, code: LostCode): void;
  ended(channel: RemoteChannel): void;
  sent(samples: number): void;
  ignored(reason: IgnoredReason): void;
  late(): void;
}

/**
 * One channel and its stream to the server. Audio goes out as it comes, at a gap enough silence to bring the last words out;
 * the stream is opened with the first audio and again when it ended. When it breaks with something unsettled the channel is
 * given back: its media worker opens it again at its committed tick, so nothing is kept here for a second try.
 */
export class RemoteChannel {
  readonly id: ChannelId;
  readonly attempt: number;
  readonly owner: ChannelOwner;
  readonly #ports: ChannelPorts;
  readonly #settings: StreamSettings;
  readonly #input: RemoteInput;
  readonly #segments: Segments;
  readonly #reports: Reports;
  #session: Session | null = null;
  #map = new StreamMap();
  readonly #arrivals: { readonly upto: number; readonly us: number }[] = [];
  #arrivalUs = 0;
  /** What the server called final, its own time. */
  #finalSample = 0;
  /** Nothing was sent since everything sent was decided. */
  #flushed = true;
  /** The gap whose silence the server has; time goes on there. */
  #gapTick: number | null = null;
  #endTick: number | null = null;
  #finishFor: Endpoint | null = null;
  #closed = false;

  constructor(opening: ChannelOpening, owner: ChannelOwner, ports: ChannelPorts) {
    const { channel, attempt, fromTick, outputFromTick, maxDelayMs, phrases } = opening;
    this.id = channel;
    this.attempt = attempt;
    this.owner = owner;
    this.#ports = ports;
    this.#settings = { maxDelayMs, phrases };
    this.#input = new RemoteInput(fromTick, LEAST_MESSAGE_SAMPLES, MOST_MESSAGE_SAMPLES, QUEUE_LIMIT_SAMPLES);
    const { sink, nowMs } = ports;
    this.#reports = new Reports({ channel, attempt, fromTick, outputFromTick, owner, sink, nowMs });
    this.#segments = new Segments({
      channel,
      fromTick,
      outputFromTick,
      onFinal: (segment) => this.#reports.final(segment, this.#arrivalUs),
      onLate: () => ports.late(),
    });
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** It has audio and no stream: it would dial. */
  get waiting(): boolean {
    return !this.#closed && this.#session === null && this.#input.next === 'audio';
  }

  /** Came, and is not yet decided. */
  get lagTicks(): number {
    return Math.max(0, this.#input.nextTick - this.#segments.decidedTick);
  }

  /** @returns false when far more came than the credit allowed */
  audio(startTick: number, arrivalUs: number, body: Uint8Array): boolean {
    const taken = this.#input.audio(startTick, arrivalUs, body);
    this.pump();
    return taken;
  }

  gap(toTick: number): void {
    this.#input.gap(toTick);
    this.pump();
  }

  end(tick: number): void {
    this.#input.end(tick);
    this.pump();
  }

  /** Somebody asks for what was said so far: the server is asked for its last words, and a new stream begins. */
  finalise(): void {
    if (this.#segments.guessing && this.#session?.ready === true) this.#finish('request');
    else this.#segments.close('request');
    this.#report();
  }

  /** Sends what can be sent. */
  pump(): void {
    while (!this.#closed && !this.#ports.sink.blocked) {
      const kind = this.#input.next;
      if (kind === null || this.#session?.finishing === true) break;
      if (kind === 'audio' && !this.#maySend()) break;
      this.#advance(this.#input.take());
    }
    if (!this.#closed) this.#report();
  }

  /** To be called a few times a second. */
  tick(): void {
    this.#session?.watch();
    if (this.#closed) return;
    this.#progress();
    if (this.#closed) return;
    this.#rotate();
    this.pump();
    if (!this.#closed && (!this.#input.empty || !this.#flushed)) this.#reports.reassure();
  }

  /** Forgets everything. Nothing is said of it any more. */
  close(): void {
    this.#closed = true;
    this.#leave();
  }

  /** The newest partial, if it was not sent and may be. */
  sendPartial(): void {
    this.#reports.partial(this.#segments, this.#arrivalUs);
  }

  #report(ending = false): void {
    this.sendPartial();
    this.#reports.progress(this.#segments, this.#input.nextTick, ending);
  }

  #maySend(): boolean {
    if (this.#session === null) {
      const handlers: SessionHandlers = {
        event: (event) => this.#event(event),
        failed: (failure) => this.#failed(failure),
      };
      this.#session = this.#ports.dial(this.#settings, handlers);
      return false;
    }
    const { ready, sentSamples, takenSamples, bufferedBytes } = this.#session;
    return ready && sentSamples - takenSamples <= IN_FLIGHT_SAMPLES && bufferedBytes <= IN_FLIGHT_BYTES;
  }

  #advance(next: NextInput): void {
    if (next.kind === 'audio') {
      const samples = next.bytes.length >> 1;
      this.#map.audio(next.startTick, samples);
      this.#arrivals.push({ upto: this.#map.fed, us: next.arrivalUs });
      this.#flushed = false;
      this.#gapTick = null;
      this.#session?.audio(next.bytes);
      this.#ports.sent(samples);
    } else if (next.kind === 'gap') {
      if (this.#flushed) {
        this.#segments.reach(next.tick, 'gap');
        return;
      }
      if (this.#gapTick === null) this.#flush();
      this.#gapTick = next.tick;
    } else {
      this.#endTick = next.tick;
      if (this.#flushed) this.#conclude(next.tick);
      else this.#finish('end');
    }
  }

  /** Silence, so that the server ends its utterance: in messages as audio has them, for it looks at the end of each. */
  #flush(): void {
    const { protocol } = this.#ports;
    for (let left = protocol.flushSamples(this.#settings); left > 0; left -= MOST_MESSAGE_SAMPLES) {
      const samples = Math.min(left, MOST_MESSAGE_SAMPLES);
      this.#map.padding(samples);
      this.#session?.audio(new Uint8Array(2 * samples));
    }
  }

  #finish(endpoint: Endpoint): void {
    if (this.#session === null || this.#session.finishing) return;
    this.#finishFor = endpoint;
    this.#session.finish();
  }

  #event(event: RemoteEvent): void {
    if (this.#closed) return;
    const ending = this.#gapTick === null ? 'pause' : 'gap';
    switch (event.kind) {
      case 'ready':
      case 'refused':
        break;
      case 'taken':
        while (this.#arrivals.length > 0 && this.#arrivals[0]!.upto <= event.uptoSample) {
          this.#arrivalUs = this.#arrivals.shift()!.us;
        }
        break;
      case 'partial':
        this.#segments.partial(event.words.map((word) => this.#inTicks(word)));
        break;
      case 'final':
        this.#segments.final(event.words.map((word) => this.#inTicks(word)));
        this.#finalSample = Math.max(this.#finalSample, event.uptoSample ?? 0);
        if (this.#ports.protocol.takenIsRecognised) this.#segments.close(this.#lastWords ?? ending);
        else if (this.#settings.maxDelayMs !== null) this.#segments.close('delay');
        break;
      case 'utterance':
        if (!this.#segments.guessing) this.#segments.close(ending);
        break;
      case 'finished':
        this.#finished();
        return;
      case 'ignored':
        this.#ports.ignored(event.reason);
        return;
    }
    this.#progress();
    this.pump();
  }

  /** Why the stream was ended, when all it can still say are its last words. */
  get #lastWords(): Endpoint | null {
    const session = this.#session;
    return session !== null && session.takenSamples === session.sentSamples ? this.#finishFor : null;
  }

  #inTicks({ text, startSample, endSample, confidence }: RemoteWord): Word {
    return { text, ...this.#map.span(startSample, endSample), confidence };
  }

  /** How far the server is, and whether a gap is through. */
  #progress(): void {
    const session = this.#session;
    if (session === null || this.#flushed) return;
    const { takenSamples, sentSamples, takenMs } = session;
    const { protocol } = this.#ports;
    const delay = protocol.delaySamples(this.#settings);
    const recognised = protocol.takenIsRecognised
      ? takenSamples
      : Math.max(this.#finalSample, takenSamples - delay);
    const certain = protocol.takenIsRecognised
      ? takenSamples - delay
      : Math.max(this.#finalSample, takenSamples - delay - 8000);
    this.#segments.decided(this.#map.endTickOf(recognised), this.#map.startTick(certain));
    if (this.#gapTick === null || takenSamples < sentSamples || session.finishing) return;
    const sinceMs = this.#ports.nowMs() - takenMs;
    if (this.#segments.guessing) {
      if (protocol.takenIsRecognised || sinceMs >= IMPATIENT_AFTER_MS) this.#finish('gap');
    } else if (
      protocol.takenIsRecognised ||
      this.#finalSample >= this.#map.realEnd ||
      sinceMs >= QUIET_AFTER_MS
    ) {
      this.#segments.reach(this.#gapTick, 'gap');
      this.#gapTick = null;
      this.#flushed = true;
    }
  }

  /** The server said its last words. */
  #finished(): void {
    const endpoint = this.#finishFor ?? 'gap';
    this.#finishFor = null;
    this.#segments.reach(this.#gapTick ?? this.#map.endTick, endpoint);
    this.#leave();
    if (this.#endTick !== null) this.#conclude(this.#endTick);
    else this.pump();
  }

  #conclude(tick: number): void {
    this.#segments.reach(tick, 'end');
    this.#report(true);
    this.#ports.sink.ended(this.id, this.attempt, tick);
    this.#ports.ended(this);
  }

  #failed({ reason }: SessionFailure): void {
    if (this.#closed) return;
    const lost = !this.#flushed;
    this.#leave();
    // With nothing in the server's hands nothing is lost: the next audio dials again.
    if (lost) this.#ports.lose(this, reason === 'full' ? 'ENGINE_FULL' : 'REMOTE_LINK');
    else this.#report();
  }

  /**
   * In a gap nothing is in the server's hands. A channel that has none for long is given back, in a quiet moment if there is
   * one: it is opened again four seconds earlier, where an end of the stream would cut a word in two.
   */
  #rotate(): void {
    if (this.#session === null || this.#session.finishing) return;
    const ages = (this.#ports.nowMs() - this.#session.openedMs) / this.#ports.rotateAfterMs;
    if (ages < 1) return;
    if (this.#flushed) this.#leave();
    else if (ages > 2 || (ages > 1.5 && !this.#segments.open)) this.#ports.lose(this, 'REMOTE_LINK');
  }

  /** The stream is over, or not wanted any more. */
  #leave(): void {
    const session = this.#session;
    this.#session = null;
    this.#map = new StreamMap();
    this.#arrivals.length = 0;
    this.#finalSample = 0;
    this.#gapTick = null;
    this.#flushed = true;
    this.#finishFor = null;
    if (session !== null) this.#ports.release(session);
  }
}
