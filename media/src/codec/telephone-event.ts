/**
 * Keys pressed, as RTP events (RFC 4733). They are personal data (PIN and card numbers are typed in): nothing here or above
 * may log which key it was.
 */

const EVENT_BYTES = 4;
/** The longest duration that the format can say; a longer event goes on in a new segment (section 2.5.1.3). */
const MAX_DURATION = 0xffff;
/**
 * Repetitions and late updates of an event, whose segment may have begun 8.2 s before (65535 units of 8 kHz), are not further
 * back than this; older timestamps are a stream that began anew.
 */
const STALE_SECONDS = 10;
/** An event whose updates cease for so long has ended, though its end was lost. Updates come each 50 ms or sooner. */
const SILENT_SECONDS = 0.3;

/** One event of a payload; the object is used again. */
export interface TelephoneEvent {
  /** Which key it was: 0 … 255 (RFC 4733, section 3.2). */
  event: number;
  /** Whether the event has ended. */
  end: boolean;
  /** Power in dBm0, 0 … -63. */
  volumeDbm0: number;
  /** From the packet's timestamp on, in timestamp units, 0 … 65535. */
  duration: number;
}

/** Reads the event at bytes[start..start + 4) to into. @returns false when there are no four bytes */
export function readTelephoneEvent(
  bytes: Uint8Array,
  start: number,
  end: number,
  into: TelephoneEvent,
): boolean {
  if (end - start < EVENT_BYTES) return false;
  into.event = bytes[start]!;
  into.end = (bytes[start + 1]! & 0x80) !== 0;
  const volume = bytes[start + 1]! & 0x3f;
  into.volumeDbm0 = volume === 0 ? 0 : -volume;
  into.duration = (bytes[start + 2]! << 8) | bytes[start + 3]!;
  return true;
}

export interface TelephoneEventSink {
  /**
   * An event has ended.
   * @param startTimestamp RTP timestamp of its beginning
   * @param duration in units of the stream's timestamps, of all its segments; a lower bound when its end was lost
   */
  telephoneEvent(event: number, startTimestamp: number, duration: number, volumeDbm0: number): void;
}

/**
 * Puts the packets of events together: each event is told once, when it has ended, however often its updates and its end were sent
 * (three times by RFC 4733, section 2.5.1.4), and also when no end came: the next event, or silence, ends it.
 */
export class TelephoneEvents {
  readonly #streamRate: number;
  /** Timestamp units of the stream in one unit of an event's duration. */
  readonly #scale: number;
  readonly #sink: TelephoneEventSink;
  readonly #read: TelephoneEvent = { event: 0, end: false, volumeDbm0: 0, duration: 0 };
  #open = false;
  #event = 0;
  #volumeDbm0 = 0;
  #startTimestamp = 0;
  /** The running segment's beginning, and its longest duration so far. */
  #segmentTimestamp = 0;
  #segmentDuration = 0;
  /** Whether an event was told, and where its last segment began: what comes for it again is a repetition. */
  #told = false;
  #toldTimestamp = 0;

  /**
   * @param clockRate of the payload type, in Hz: what durations count in
   * @param streamRate what the stream's timestamps count in, in Hz. Another one beside Opus where the sender has telephone-event/8000
   *   only, against RFC 4733, section 2.1
   */
  constructor(clockRate: number, sink: TelephoneEventSink, streamRate = clockRate) {
    this.#streamRate = streamRate;
    this.#scale = streamRate / clockRate;
    this.#sink = sink;
  }

  /** The stream begins anew (SSRC change). An open event is told. */
  reset(): void {
    this.flush();
    this.#told = false;
  }

  /**
   * One packet's payload bytes[start..end), of one event or of several in a row (section 2.5.1.5).
   * @returns false when it is not a whole number of events; those that are whole are taken
   */
  packet(timestamp: number, bytes: Uint8Array, start: number, end: number): boolean {
    let at = start;
    let from = timestamp >>> 0;
    while (readTelephoneEvent(bytes, at, end, this.#read)) {
      this.#take(from);
      from = (from + this.#read.duration * this.#scale) >>> 0;
      at += EVENT_BYTES;
    }
    return at === end && end > start;
  }

  /** The stream has come to the timestamp: an event is told whose updates have ceased. Cheap when none is open. */
  until(timestamp: number): void {
    if (!this.#open) return;
    const since = (timestamp - this.#segmentTimestamp - this.#segmentDuration) | 0;
    if (since > SILENT_SECONDS * this.#streamRate) this.flush();
  }

  /** Tells the open event, if there is one. */
  flush(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#told = true;
    this.#toldTimestamp = this.#segmentTimestamp;
    const before = (this.#segmentTimestamp - this.#startTimestamp) >>> 0;
    this.#sink.telephoneEvent(
      this.#event,
      this.#startTimestamp,
      before + this.#segmentDuration,
      this.#volumeDbm0,
    );
  }

  #take(timestamp: number): void {
    const { event, end, volumeDbm0 } = this.#read;
    const duration = this.#read.duration * this.#scale;
    if (this.#stale(timestamp)) return;
    if (this.#open && !this.#goesOn(event, timestamp)) this.flush();
    if (this.#open) {
      if (timestamp !== this.#segmentTimestamp) this.#segmentDuration = 0;
    } else {
      this.#open = true;
      this.#event = event;
      this.#volumeDbm0 = volumeDbm0;
      this.#startTimestamp = timestamp;
      this.#segmentDuration = 0;
    }
    this.#segmentTimestamp = timestamp;
    this.#segmentDuration = Math.max(this.#segmentDuration, duration);
    if (end) this.flush();
  }

  /** Whether it belongs to what was told already, or to an earlier segment of what is open. */
  #stale(timestamp: number): boolean {
    if (!this.#open && !this.#told) return false;
    const newest = this.#open ? this.#segmentTimestamp : this.#toldTimestamp;
    const behind = (newest - timestamp) | 0;
    const again = this.#open ? behind > 0 : behind >= 0;
    return again && behind < STALE_SECONDS * this.#streamRate;
  }

  /** Whether a packet belongs to the open event: to its segment, or to the next one of an event that is too long for one. */
  #goesOn(event: number, timestamp: number): boolean {
    if (event !== this.#event) return false;
    const step = (timestamp - this.#segmentTimestamp) >>> 0;
    return step === 0 || step === MAX_DURATION * this.#scale;
  }
}
