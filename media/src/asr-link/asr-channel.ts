import {
  type CallId,
  type CallZero,
  type ChannelId,
  partsOfChannel,
  type RecognitionConfig,
  type RecognitionState,
} from '@earshot/contracts';
import type { AudioSource, Tape } from '../spool/tape.ts';
import { Patience } from './patience.ts';
import type { DeferrableView } from './record-first.ts';

/** What the link needs of a channel. */
export interface Subject {
  readonly id: ChannelId;
  readonly zero: CallZero;
  readonly tape: Tape;
  /** The files have all that the tape has. */
  readonly inFiles: boolean;
  logClock(nowUs: number): void;
}

/** Reads what is older than the tape from the channel's files. */
export type ReadWindow = (fromTick: number, upToTick: number) => Promise<AudioSource>;

/** A channel with more than this to send (1 s) is behind, and served after the live ones. */
export const BEHIND_TICKS = 8000;

/**
 * `asking`: waits for transcripts to say where to resume. `deferred`: its call waits for clear room. `placing`: waits for an engine.
 * `open`: an engine has it. `settled`: committed to its end.
 */
export type AsrState = 'asking' | 'deferred' | 'placing' | 'open' | 'settled';

/** What the channel brings along. */
export interface Beginning {
  /** The first to ask for; higher than any that was used. */
  readonly attempt: number;
  /** How recognition goes with its call. */
  readonly state: RecognitionState;
  /** What the call asks of the recogniser; each opening takes it along. */
  readonly config: () => RecognitionConfig;
}

/** The recogniser's side of one channel: which attempt, which engine, how far. Ticks. */
export class AsrChannel {
  readonly subject: Subject;
  readonly readWindow: ReadWindow;
  readonly callId: CallId;
  readonly config: () => RecognitionConfig;
  recognition: RecognitionState;
  readonly patience = new Patience();
  /** Which of the five 20 ms turns of 100 ms serves it. */
  readonly phase: number;
  state: AsrState = 'asking';
  attempt: number;
  engine: number | null = null;
  /** The engine that it was taken from last. */
  avoid: number | null = null;
  /** The engine that it was moved for. */
  wanted: number | null = null;
  /** When it was moved to another engine that had more room, monotonic microseconds; -Infinity for never. */
  movedUs = -Infinity;
  /** Not placed before, monotonic microseconds. */
  notBeforeUs = 0;
  resumeTick = 0;
  /** Since when its engine has it, monotonic microseconds. */
  placedUs = 0;
  /** Sent as audio, and sent at all, in its life; ticks. */
  audioTicks = 0;
  sentTicks = 0;
  /** Everything before it was sent. */
  cursor = 0;
  creditTick = 0;
  decidedTick = 0;
  committedTick = 0;
  /** The end of the timeline, once its last block is in the files; null while it lives. */
  endTick: number | null = null;
  endSent = false;
  lastWasGap = false;
  window: AudioSource | null = null;
  loading = false;

  constructor(subject: Subject, readWindow: ReadWindow, beginning: Beginning, phase: number) {
    this.subject = subject;
    this.callId = partsOfChannel(subject.id).callId;
    this.readWindow = readWindow;
    this.config = beginning.config;
    this.recognition = beginning.state;
    this.attempt = beginning.attempt;
    this.phase = phase;
  }

  get view(): DeferrableView {
    const { callId, recognition, state, endTick, lagTicks, subject } = this;
    const startedMs = subject.zero.wallMs;
    return {
      callId,
      recognition,
      settled: state === 'settled',
      ended: endTick !== null,
      lagTicks,
      startedMs,
    };
  }

  /** Audio or silence waits that the engine gave no credit for. */
  get starved(): boolean {
    return this.cursor >= this.creditTick && (this.endTick ?? this.subject.tape.endTick) > this.cursor;
  }

  /** Received and not yet decided, in ticks. */
  get lagTicks(): number {
    const received = this.endTick ?? this.subject.tape.endTick;
    return Math.max(0, received - Math.max(this.decidedTick, this.committedTick));
  }

  /** Ticks that may be sent now. */
  get sendable(): number {
    return Math.min(this.creditTick, this.endTick ?? this.subject.tape.endTick) - this.cursor;
  }
}
