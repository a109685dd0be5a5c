import { word16, word32 } from '../rtp/words.ts';
import { RTCP_OPEN_BYTES, rtpHeaderBytes } from './headers.ts';
import { KeySet } from './key-set.ts';
import type { SrtpKeys } from './keys.ts';
import { ReplayWindow } from './replay-window.ts';
import { indexOf } from './rollover.ts';
import { SrtpStream } from './stream.ts';

/** Why a packet is not taken. Label values of a metric. */
export const SRTP_FAULTS = ['srtp_malformed', 'srtp_mki', 'srtp_authentication', 'srtp_replay'] as const;
export type SrtpFault = (typeof SRTP_FAULTS)[number];

const MALFORMED = -1;
const UNKNOWN_MKI = -2;
const NOT_AUTHENTIC = -3;
const REPLAY = -4;

/** The name of a negative result. */
export const srtpFault = (result: number): SrtpFault => SRTP_FAULTS[-result - 1] ?? 'srtp_malformed';

/** After the first packet with new keys the old ones hold for so long: packets that were on their way. */
const OLD_KEYS_US = 2_000_000;
/** And at most so long, 64*T1 of RFC 3261, by when an answer has reached its offerer. */
const OLD_KEYS_LIMIT_US = 32_000_000;
/** SSRCs that are remembered. Only who has the keys makes one known. */
const MAX_STREAMS = 32;
/** estimate, its neighbours, 0 and one that is searched. */
const MAX_CANDIDATES = 5;

/**
 * Opens one channel's SRTP and SRTCP (RFC 3711), in place. Never throws on what comes from the network.
 *
 * - Roll-over counters are kept for each SSRC, over changes of SSRC, hold and new keys (RFC 3711 section 3.3.1).
 * - A stream that begins in the middle, or goes on after a takeover, is tried with the neighbouring counters; one that fails 8
 *   times in a row with ever farther ones.
 * - With new keys the old ones hold on for a moment.
 */
export class SrtpReceiver {
  /** What was refused, by reason. */
  readonly refused: Record<SrtpFault, number> = {
    srtp_malformed: 0,
    srtp_mki: 0,
    srtp_authentication: 0,
    srtp_replay: 0,
  };
  #current: KeySet;
  #old: KeySet | null = null;
  #oldUntilUs = 0;
  readonly #streams = new Map<number, SrtpStream>();
  /** The last SSRC that was not known and not authentic: its failures are counted for the search. */
  #stranger = new SrtpStream(0);
  readonly #rtcpWindows = new Map<number, ReplayWindow>();
  readonly #candidates = new Float64Array(MAX_CANDIDATES);

  /** @param keys see keysFrom */
  constructor(keys: readonly SrtpKeys[]) {
    this.#current = new KeySet(keys);
  }

  /**
   * What an offer or answer says now. The same keys change nothing but that a peer that begins its counters anew, as some do after
   * hold, is understood.
   */
  setKeys(keys: readonly SrtpKeys[], nowUs: number): void {
    for (const stream of this.#streams.values()) stream.doubt();
    if (this.#current.has(keys)) return;
    this.#old = this.#current;
    this.#oldUntilUs = nowUs + OLD_KEYS_LIMIT_US;
    this.#current = new KeySet(keys);
    // Indices of SRTCP begin anew with the key that protects them.
    this.#rtcpWindows.clear();
  }

  /** Goes on where a predecessor was. @param rollover of the packet with this sequence number (SpoolBlock.srtpRollover) */
  restore(ssrc: number, rollover: number, sequence: number): void {
    this.#streamOf(ssrc, 0).restore(indexOf(rollover, sequence));
  }

  /** A packet that a predecessor had opened, from its log: as if it were opened now. */
  replayed(ssrc: number, sequence: number, arrivalUs: number): void {
    const stream = this.#streamOf(ssrc, arrivalUs);
    stream.candidates(sequence, this.#candidates);
    stream.note(this.#candidates[0]!, arrivalUs);
  }

  /** What to save with a packet that was opened lately: its roll-over counter, 32 bits. 0 for an SSRC that is not known. */
  rolloverOf(ssrc: number, sequence: number): number {
    return this.#streams.get(ssrc)?.rolloverOf(sequence) ?? 0;
  }

  /**
   * Opens an RTP packet in place.
   * @returns the length of the plain packet at the front of bytes, or a negative number (srtpFault) and bytes as they were
   */
  openRtp(bytes: Uint8Array, arrivalUs: number): number {
    const bodyAt = rtpHeaderBytes(bytes, bytes.length);
    if (bodyAt === -1) return this.#refuse(MALFORMED);
    const ssrc = word32(bytes, 8);
    const stream = this.#streams.get(ssrc) ?? this.#strangerOf(ssrc);
    let result = this.#openWith(this.#current, stream, bytes, bodyAt, arrivalUs);
    if (result < 0 && result !== REPLAY && this.#old !== null) {
      if (arrivalUs > this.#oldUntilUs) this.#old = null;
      else result = this.#openWith(this.#old, stream, bytes, bodyAt, arrivalUs);
    } else if (result > 0 && this.#old !== null) {
      this.#oldUntilUs = Math.min(this.#oldUntilUs, arrivalUs + OLD_KEYS_US);
    }
    if (result > 0) return result;
    if (result === NOT_AUTHENTIC) stream.failed();
    return this.#refuse(result);
  }

  #openWith(keys: KeySet, stream: SrtpStream, bytes: Uint8Array, bodyAt: number, arrivalUs: number): number {
    if (!keys.locateRtp(bodyAt, bytes.length)) return MALFORMED;
    const { layout } = keys;
    const transform = keys.transformAt(bytes, keys.mkiEnd(bytes.length));
    if (transform === null) return UNKNOWN_MKI;
    layout.ssrc = stream.ssrc;
    const count = stream.candidates(word16(bytes, 2), this.#candidates);
    for (let i = 0; i < count; i++) {
      layout.index = this.#candidates[i]!;
      // Before the tag is checked, as RFC 3711 section 3.3 has it: a copy costs nothing.
      if (i === 0 && stream.confirmed && !stream.window.isNew(layout.index)) return REPLAY;
      if (!transform.openRtp(bytes, layout, stream.cache)) continue;
      const { index } = layout;
      const isNew = keys === this.#old ? stream.note(index, arrivalUs) : stream.take(index, arrivalUs);
      if (!isNew) return REPLAY;
      this.#know(stream);
      return layout.bodyEnd;
    }
    return NOT_AUTHENTIC;
  }

  /**
   * Opens an RTCP packet in place (RFC 3711 section 3.4).
   * @returns as openRtp
   */
  openRtcp(bytes: Uint8Array, arrivalUs: number): number {
    if (bytes.length < RTCP_OPEN_BYTES || bytes[0]! >> 6 !== 2) return this.#refuse(MALFORMED);
    let result = this.#openRtcpWith(this.#current, bytes);
    if (result < 0 && result !== REPLAY && this.#old !== null && arrivalUs <= this.#oldUntilUs) {
      result = this.#openRtcpWith(this.#old, bytes);
    }
    return result > 0 ? result : this.#refuse(result);
  }

  #openRtcpWith(keys: KeySet, bytes: Uint8Array): number {
    const result = this.#openRtcpTagged(keys, bytes, false);
    // RFC 4568 section 6.2 has 80 bits in RTCP for the suites with 32 bits in RTP; ffmpeg, for one, has 32.
    const { tagBytes, rtcpTagBytes } = keys.sizes;
    if (result > 0 || result === REPLAY || tagBytes === rtcpTagBytes) return result;
    const again = this.#openRtcpTagged(keys, bytes, true);
    return again > 0 || again === REPLAY ? again : result;
  }

  #openRtcpTagged(keys: KeySet, bytes: Uint8Array, short: boolean): number {
    if (!keys.locateRtcp(RTCP_OPEN_BYTES, bytes.length, short)) return MALFORMED;
    const { layout } = keys;
    const transform = keys.transformAt(bytes, keys.mkiEnd(bytes.length));
    if (transform === null) return UNKNOWN_MKI;
    const word = word32(bytes, layout.indexAt);
    layout.ssrc = word32(bytes, 4);
    layout.index = word & 0x7fffffff;
    layout.encrypted = word >>> 31 === 1;
    const window = this.#rtcpWindows.get(layout.ssrc);
    if (window !== undefined && !window.isNew(layout.index)) return REPLAY;
    if (!transform.openRtcp(bytes, layout)) return NOT_AUTHENTIC;
    // Packets with the old keys count in a row of their own: they are few, and are not remembered.
    if (keys === this.#current) this.#rtcpWindow(layout.ssrc).take(layout.index);
    return layout.bodyEnd;
  }

  #rtcpWindow(ssrc: number): ReplayWindow {
    const known = this.#rtcpWindows.get(ssrc);
    if (known !== undefined) return known;
    if (this.#rtcpWindows.size >= MAX_STREAMS)
      this.#rtcpWindows.delete(this.#rtcpWindows.keys().next().value!);
    const window = new ReplayWindow();
    this.#rtcpWindows.set(ssrc, window);
    return window;
  }

  #strangerOf(ssrc: number): SrtpStream {
    if (this.#stranger.ssrc !== ssrc) this.#stranger = new SrtpStream(ssrc);
    return this.#stranger;
  }

  #streamOf(ssrc: number, nowUs: number): SrtpStream {
    const known = this.#streams.get(ssrc);
    if (known !== undefined) return known;
    const stream = new SrtpStream(ssrc);
    stream.heardUs = nowUs;
    this.#know(stream);
    return stream;
  }

  /** The stream is remembered from now on; the one that was silent longest goes where there are too many. */
  #know(stream: SrtpStream): void {
    if (this.#streams.has(stream.ssrc)) return;
    if (this.#streams.size >= MAX_STREAMS) {
      let oldest = stream;
      for (const other of this.#streams.values()) if (other.heardUs < oldest.heardUs) oldest = other;
      if (oldest !== stream) this.#streams.delete(oldest.ssrc);
    }
    this.#streams.set(stream.ssrc, stream);
    if (stream === this.#stranger) this.#stranger = new SrtpStream(0);
  }

  #refuse(result: number): number {
    this.refused[srtpFault(result)]++;
    return result;
  }

  toString(): string {
    return `Srtp(${this.#current.suite})`;
  }
}
