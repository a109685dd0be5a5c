import type { CodecName, RecognitionConfig } from '../call.ts';
import type { CallId, ChannelId, LegId } from '../ids.ts';
import type { MediaCrypto } from '../srtp.ts';
import type { CallZero } from '../ticks.ts';

/**
 * gateway → media worker, on the worker's `control` socket (the worker listens, the gateway dials and
 * redials). After each (re)connection the worker says `hello` and the gateway answers `leg.sync` with every leg
 * that should be on it; the worker adopts what it lacks (a replacement finds the ports lent by host, the timeline in the
 * spool) and closes what is not listed.
 */
export interface LegCodec {
  readonly payloadType: number;
  readonly name: CodecName;
  /** RTP timestamp units a second; 8000 when left out. G.722 says 8000 (RFC 3551 section 4.5.2), opus 48,000. */
  readonly clockRate?: number;
  /** 1 when left out. Two are mixed into one. */
  readonly audioChannels?: number;
}

export interface LegChannel {
  readonly channel: ChannelId;
  /** Accepted payload types; the first is the answer's preference. */
  readonly codecs: readonly LegCodec[];
  /** `held`: sendonly turned inactive, or c=0.0.0.0. A held channel lives on; its RTP time-out stands still. */
  readonly state: 'active' | 'held';
  /** Where the offer says that media comes from, for latching. Null: the first valid source wins. */
  readonly remote: { readonly address: string; readonly port: number } | null;
  /** Packets are protected with it; left out: they are plain. */
  readonly srtp?: MediaCrypto;
  /** Left out: reports are read, and none are sent. */
  readonly rtcp?: ChannelRtcp;
}

export interface ChannelRtcp {
  /** On the RTP port (RFC 5761). */
  readonly mux: boolean;
  /** Reports need not be compound (RFC 5506). */
  readonly reducedSize: boolean;
  /** Where ours go. Null: to where the peer's come from. */
  readonly remote: { readonly address: string; readonly port: number } | null;
}

export interface Leg {
  readonly callId: CallId;
  readonly legId: LegId;
  readonly zero: CallZero;
  readonly channels: readonly LegChannel[];
  /** Seconds without RTP on all active channels before `leg.timeout`. */
  readonly rtpTimeoutS: number;
  /** Keep audio for a recording after it is committed. */
  readonly record: boolean;
  /** What comes is not kept and not recognised until it is taken away again: a card number is being said. */
  readonly paused?: boolean;
  /**
   * The call is recorded first: its channels go to no engine until the worker finds clear room and says `recognition.begun`. What the
   * worker has begun stays begun, whatever is said here later.
   */
  readonly deferred?: boolean;
  /** Handed to the engine with each opening of a channel. */
  readonly recognition?: RecognitionConfig;
  /**
   * What the peer was told: it sends there, and nowhere else can its packets be taken for its own. Left out while nothing was: then
   * any sockets will do.
   */
  readonly ports?: readonly ChannelPorts[];
}

export interface ChannelPorts {
  readonly channel: ChannelId;
  readonly rtpPort: number;
  readonly rtcpPort: number;
}

/** What a channel received, at the end of its leg or on request. Counts since the channel opened. */
export interface ChannelTotals {
  readonly channel: ChannelId;
  /** End of the channel's timeline. */
  readonly endTick: number;
  readonly packetsReceived: number;
  readonly packetsLost: number;
  readonly packetsLate: number;
  readonly packetsDuplicate: number;
  /** From a wrong source, garbage, or with an unknown payload type. */
  readonly packetsRejected: number;
  readonly quality?: StreamQuality;
  /** Null where it is not known of the whole call: nothing was heard, or another process had the channel before. */
  readonly levels?: ChannelLevels | null;
}

/** How loud a channel was. Levels in dBov, -127..0: 0 is a square wave of full scale. */
export interface ChannelLevels {
  /** Of the loudest 20 ms. */
  readonly peakDbov: number;
  /** Of its speech; of everything that was heard where speechTicks is 0. */
  readonly meanDbov: number;
  /** What voice activity detection took for speech. */
  readonly speechTicks: number;
}

/** How a channel's stream arrived. */
export interface StreamQuality {
  /** Of what was to be played, 0..1; packets that came too late are lost, too. */
  readonly lossRatio: number;
  /** Interarrival jitter (RFC 3550 section 6.4.1) at the end, and the highest. */
  readonly jitterMs: number;
  readonly maxJitterMs: number;
  /** Null where the peer does not answer reference times (RFC 3611). */
  readonly roundTripMs: number | null;
  /** E-model, 1 to 4.5 (ITU-T G.107, for wideband codecs G.107.1). */
  readonly mos: number;
}

export type ToMedia =
  | { readonly type: 'leg.open'; readonly id: number; readonly leg: Leg }
  /** Re-INVITE: new remote, codecs or state. Ports stay. Relatches when `remote` changed. */
  | { readonly type: 'leg.update'; readonly id: number; readonly leg: Leg }
  | { readonly type: 'leg.close'; readonly id: number; readonly legId: LegId }
  | { readonly type: 'leg.sync'; readonly id: number; readonly legs: readonly Leg[] };

export type FromMedia =
  | { readonly type: 'hello'; readonly worker: number; readonly pid: number }
  | {
      readonly type: 'leg.opened';
      readonly id: number;
      readonly legId: LegId;
      readonly ports: readonly ChannelPorts[];
    }
  | { readonly type: 'leg.updated'; readonly id: number; readonly legId: LegId }
  | { readonly type: 'leg.synced'; readonly id: number }
  | {
      readonly type: 'leg.failed';
      readonly id: number;
      readonly legId: LegId;
      readonly code: string;
      readonly message: string;
    }
  /** Answer to leg.close, after the last packet in the kernel's buffer was read. */
  | {
      readonly type: 'leg.closed';
      readonly id: number;
      readonly legId: LegId;
      readonly channels: readonly ChannelTotals[];
    }
  | { readonly type: 'leg.timeout'; readonly legId: LegId }
  /** A call that was recorded first is being recognised now. Said again to whoever still takes it for deferred. */
  | { readonly type: 'recognition.begun'; readonly callId: CallId }
  | {
      readonly type: 'load';
      readonly channels: number;
      readonly loopDelayMs: number;
      /** Calls that have ended and wait for recognition. Left out: none. */
      readonly endedWaiting?: number;
      /** Calls that were recorded first and are behind still: engines are busy with them. Left out: none. */
      readonly catchingUp?: number;
      /** Less of the disk is free than is to be: nothing new is recorded. Left out: no. */
      readonly diskScarce?: boolean;
    };
