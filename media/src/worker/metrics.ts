import { type ChannelTotals, TICKS_PER_SECOND, VAD_FRAME_TICKS } from '@earshot/contracts';
import { Counter, Gauge, Histogram, type Registry } from '@earshot/platform';
import type { ReopenReason } from '../asr-link/asr-link.ts';
import type { Waiting } from '../asr-link/record-first.ts';
import type { Channel } from '../leg/channel.ts';
import { REJECT_REASONS, type RejectReason } from '../rtp/packet.ts';
import type { DiskHealth } from '../spool/disk-health.ts';
import type { DiskSpace } from '../spool/disk-space.ts';
import { SRTP_FAULTS, type SrtpFault } from '../srtp/receiver.ts';
import { newRejected } from '../stages/counters.ts';
import { workerVad } from '../stages/vad-stage.ts';

const FRAME_SECONDS = VAD_FRAME_TICKS / TICKS_PER_SECOND;

/** Sums over channels: what prom-client is told once a second, as differences. */
interface Sums {
  received: number;
  lost: number;
  late: number;
  duplicate: number;
  readonly rejected: Record<RejectReason, number>;
  readonly refused: Record<SrtpFault, number>;
  reports: number;
  malformedReports: number;
}

/** The worker's metrics. The packet path counts in plain numbers; `collect` carries them over. */
export class MediaMetrics {
  readonly #received: Counter;
  readonly #lost: Counter;
  readonly #late: Counter;
  readonly #duplicate: Counter;
  readonly #rejected: Counter<'reason'>;
  readonly #refused: Counter<'reason'>;
  readonly #reports: Counter<'result'>;
  readonly #drops: Counter;
  readonly #live: Gauge;
  readonly #mos: Histogram;
  readonly #jitter: Histogram;
  readonly #lag: Histogram;
  readonly #spoolBytes: Counter;
  readonly #spoolErrors: Counter;
  readonly #walBytes: Counter;
  readonly #reopens: Counter<'reason'>;
  readonly #loopDelay: Gauge;
  readonly #waiting: Gauge;
  readonly #waitingSeconds: Gauge;
  /** Set once by a replacement. */
  readonly takeover: Gauge;
  readonly #free: Gauge;
  readonly #recording: Gauge;
  readonly #heard: Counter;
  readonly #open: Counter;
  readonly #told: WeakMap<Channel, Sums> = new WeakMap();
  readonly #health: DiskHealth;
  #spoolTold = 0;
  #walTold = 0;
  #errorsTold = 0;
  #heardTold = 0;
  #openTold = 0;

  constructor(registry: Registry, health: DiskHealth) {
    const registers = [registry];
    const counter = (name: string, help: string): Counter => new Counter({ name, help, registers });
    this.#health = health;
    this.#received = counter('earshot_rtp_packets_received_total', 'RTP packets with audio that were taken.');
    this.#lost = counter('earshot_rtp_packets_lost_total', 'RTP packets given up by the jitter buffers.');
    this.#late = counter('earshot_rtp_packets_late_total', 'RTP packets that came after they were given up.');
    this.#duplicate = counter('earshot_rtp_packets_duplicate_total', 'RTP packets that came twice.');
    this.#rejected = new Counter({
      name: 'earshot_rtp_packets_rejected_total',
      help: 'Datagrams on RTP ports that were not taken.',
      labelNames: ['reason'],
      registers,
    });
    this.#refused = new Counter({
      name: 'earshot_srtp_packets_refused_total',
      help: 'SRTP and SRTCP packets that were not opened.',
      labelNames: ['reason'],
      registers,
    });
    this.#reports = new Counter({
      name: 'earshot_rtcp_datagrams_total',
      help: 'RTCP datagrams of senders, by whether they could be read.',
      labelNames: ['result'],
      registers,
    });
    this.#drops = counter(
      'earshot_rtp_kernel_drops_total',
      'RTP packets that the kernel dropped because a socket had no room, counted every 10 s. With RTP_READER=dgram always 0.',
    );
    this.#live = new Gauge({ name: 'earshot_live_channels', help: 'Channels of open legs.', registers });
    this.#lag = new Histogram({
      name: 'earshot_channel_lag_seconds',
      help: 'Received but not yet decided, by channel, sampled each second. Without calls that were recorded first, until they have caught up.',
      buckets: [0.25, 0.5, 1, 2, 5, 10, 30, 60, 300],
      registers,
    });
    this.#mos = new Histogram({
      name: 'earshot_channel_mos',
      help: 'Quality of ended channels by the E-model (ITU-T G.107), 1 to 4.5.',
      buckets: [2, 2.5, 3, 3.5, 3.8, 4, 4.2, 4.35],
      registers,
    });
    this.#jitter = new Histogram({
      name: 'earshot_channel_jitter_seconds',
      help: 'Highest interarrival jitter of ended channels (RFC 3550).',
      buckets: [0.001, 0.003, 0.01, 0.03, 0.06, 0.1, 0.2, 0.5],
      registers,
    });
    this.#spoolBytes = counter('earshot_spool_bytes_total', 'Bytes written to spool files.');
    this.#spoolErrors = counter(
      'earshot_spool_write_errors_total',
      'Failed writes of the spool and its log.',
    );
    this.#walBytes = counter('earshot_wal_bytes_total', 'Bytes written to the write-ahead log.');
    this.#heard = counter('earshot_vad_heard_seconds_total', 'Audio of all channels, silence included.');
    this.#open = counter(
      'earshot_vad_open_seconds_total',
      'Audio of all channels that the gate lets through to recognition. The rest is saved.',
    );
    this.#reopens = new Counter({
      name: 'earshot_asr_reopens_total',
      help: 'Channels opened again on an engine.',
      labelNames: ['reason'],
      registers,
    });
    this.#loopDelay = new Gauge({
      name: 'earshot_media_loop_delay_seconds',
      help: 'Longest delay of the 20 ms timer in the last second.',
      registers,
    });
    this.#waiting = new Gauge({
      name: 'earshot_recognition_waiting_calls',
      help: 'Calls that were recorded first and wait for recognition, live and ended.',
      registers,
    });
    this.#waitingSeconds = new Gauge({
      name: 'earshot_recognition_waiting_seconds',
      help: 'Since the oldest call began that waits for recognition; 0 when none does.',
      registers,
    });
    this.#free = new Gauge({
      name: 'earshot_disk_free_ratio',
      help: 'Share of the disk with the spool that is free, 0 to 1.',
      registers,
    });
    this.#recording = new Gauge({
      name: 'earshot_disk_records_new_calls',
      help: '1; 0 while the disk is nearly full, so that new calls are transcribed and not recorded.',
      registers,
    });
    this.takeover = new Gauge({
      name: 'earshot_media_takeover_seconds',
      help: 'From the last packet that a dead worker logged to the moment when its replacement read its sockets; the kernel kept what came.',
      registers,
    });
  }

  reopened(reason: ReopenReason): void {
    this.#reopens.inc({ reason });
  }

  /** A channel's counts, brought up to date. Also once at its end. */
  channel(channel: Channel): void {
    const { counters } = channel;
    const told = this.#told.get(channel) ?? firstSums(channel);
    this.#told.set(channel, told);
    this.#received.inc(Math.max(0, counters.received - told.received));
    this.#lost.inc(Math.max(0, channel.lost - told.lost));
    this.#late.inc(Math.max(0, counters.late - told.late));
    this.#duplicate.inc(Math.max(0, counters.duplicate - told.duplicate));
    told.received = counters.received;
    told.lost = channel.lost;
    told.late = counters.late;
    told.duplicate = counters.duplicate;
    for (const reason of REJECT_REASONS) {
      const more = counters.rejected[reason] - told.rejected[reason];
      if (more > 0) this.#rejected.inc({ reason }, more);
      told.rejected[reason] = counters.rejected[reason];
    }
    const { refused, rtcp } = channel;
    if (refused !== null)
      for (const reason of SRTP_FAULTS) {
        const more = refused[reason] - told.refused[reason];
        if (more > 0) this.#refused.inc({ reason }, more);
        told.refused[reason] = refused[reason];
      }
    if (rtcp.read > told.reports) this.#reports.inc({ result: 'read' }, rtcp.read - told.reports);
    told.reports = rtcp.read;
    const malformed = rtcp.malformed - told.malformedReports;
    if (malformed > 0) this.#reports.inc({ result: 'malformed' }, malformed);
    told.malformedReports = rtcp.malformed;
  }

  dropped(packets: number): void {
    if (packets > 0) this.#drops.inc(packets);
  }

  /** A channel that received something has ended. */
  ended({ quality, packetsReceived }: ChannelTotals): void {
    if (quality === undefined || packetsReceived === 0) return;
    this.#mos.observe(quality.mos);
    this.#jitter.observe(quality.maxJitterMs / 1000);
  }

  /** A restored channel begins with its predecessor's counts, which that one has told. */
  adopted(channel: Channel): void {
    const sums = firstSums(channel);
    sums.received = channel.counters.received;
    sums.lost = channel.lost;
    sums.late = channel.counters.late;
    this.#told.set(channel, sums);
  }

  lag(seconds: number): void {
    this.#lag.observe(seconds);
  }

  waiting({ calls, oldestMs }: Waiting, wallMs: number): void {
    this.#waiting.set(calls);
    this.#waitingSeconds.set(oldestMs === null ? 0 : Math.max(0, wallMs - oldestMs) / 1000);
  }

  space({ freeShare, scarce }: DiskSpace): void {
    this.#free.set(freeShare);
    this.#recording.set(scarce ? 0 : 1);
  }

  second(liveChannels: number, loopDelaySeconds: number): void {
    this.#live.set(liveChannels);
    this.#loopDelay.set(loopDelaySeconds);
    this.#spoolBytes.inc(this.#health.spoolBytes - this.#spoolTold);
    this.#walBytes.inc(this.#health.walBytes - this.#walTold);
    this.#spoolErrors.inc(this.#health.errors - this.#errorsTold);
    const { frames, open } = workerVad.count;
    this.#heard.inc((frames - this.#heardTold) * FRAME_SECONDS);
    this.#open.inc((open - this.#openTold) * FRAME_SECONDS);
    this.#heardTold = frames;
    this.#openTold = open;
    this.#spoolTold = this.#health.spoolBytes;
    this.#walTold = this.#health.walBytes;
    this.#errorsTold = this.#health.errors;
  }
}

const firstSums = (_channel: Channel): Sums => ({
  received: 0,
  lost: 0,
  late: 0,
  duplicate: 0,
  rejected: newRejected(),
  refused: { srtp_malformed: 0, srtp_mki: 0, srtp_authentication: 0, srtp_replay: 0 },
  reports: 0,
  malformedReports: 0,
});
