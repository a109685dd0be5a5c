import type { CallZero, Encoding, LegChannel } from '@earshot/contracts';
import type { JitterBuffer } from '../jitter/jitter-buffer.ts';
import type { LossBursts } from '../rtcp/bursts.ts';
import type { ReceptionStatistics } from '../rtcp/reception.ts';
import type { BlockWriter } from '../spool/block-writer.ts';
import type { Tape } from '../spool/tape.ts';
import type { Wal, WalChannel } from '../spool/wal.ts';
import { CodecStage } from '../stages/codec-stage.ts';
import type { ChannelCounters } from '../stages/counters.ts';
import { JitterStage } from '../stages/jitter-stage.ts';
import { RtpStage } from '../stages/rtp-stage.ts';
import { SpoolStage } from '../stages/spool-stage.ts';
import { TapeRoom } from '../stages/tape-stage.ts';
import { TeeStage } from '../stages/tee-stage.ts';
import { TimelineStage } from '../stages/timeline-stage.ts';
import { VadStage } from '../stages/vad-stage.ts';
import { WalStage } from '../stages/wal-stage.ts';
import type { Timeline } from '../timeline/timeline.ts';
import type { Levels } from '../vad/levels.ts';

export interface PipelineParts {
  readonly encoding: Encoding;
  readonly counters: ChannelCounters;
  readonly statistics: ReceptionStatistics;
  readonly bursts: LossBursts;
  /** RTCP on the RTP port. @returns whether that was agreed on */
  onRtcp(bytes: Uint8Array, address: string, port: number, arrivalUs: number): boolean;
  readonly writer: BlockWriter;
  readonly wal: Wal;
  readonly walChannel: WalChannel;
  /** Packets lost before this process took the channel over. */
  lostBefore(): number;
  readonly nowUs: number;
}

/** The ends of a channel's pipeline that its owner works with. */
export interface Pipeline {
  readonly rtp: RtpStage;
  readonly wal: WalStage;
  readonly jitter: JitterBuffer;
  readonly codec: CodecStage;
  readonly timeline: Timeline;
  readonly tape: Tape;
  readonly levels: Levels;
}

/** Builds a channel's whole pipeline, from the last stage to the first. */
export function buildPipeline(
  channel: LegChannel,
  index: number,
  zero: CallZero,
  parts: PipelineParts,
): Pipeline {
  const { encoding } = parts;
  const spool = new SpoolStage(parts.writer, index, {
    counters: (ssrc, extended) => ({
      rollover: rtp.srtp?.rolloverOf(ssrc, extended & 0xffff) ?? 0,
      received: parts.counters.received - jitter.buffer.held,
      lost: parts.lostBefore() + jitter.buffer.lost,
      late: parts.counters.late,
      lossBursts: parts.bursts.count,
      maxJitterMs: parts.statistics.maxJitterMs,
    }),
    oldestHeldUs: () => jitter.buffer.oldestHeldUs,
  });
  const vad = new VadStage(encoding);
  const tape = new TapeRoom(encoding, new TeeStage(spool, vad));
  const timeline = new TimelineStage(zero, encoding, tape);
  const codec = new CodecStage(
    encoding,
    channel.codecs,
    parts,
    timeline.concealment,
    (ticks) => timeline.timeline.ledger.note('key', ticks),
    timeline,
  );
  const jitter: JitterStage = new JitterStage(parts.counters, codec);
  const wal = new WalStage(parts.wal, parts.walChannel, () => timeline.timeline.endTick, jitter);
  const { codecs, remote } = channel;
  const rtp: RtpStage = new RtpStage({ codecs, remote, ...parts }, wal);
  const { levels } = vad;
  return { rtp, wal, jitter: jitter.buffer, codec, timeline: timeline.timeline, tape: tape.tape, levels };
}
