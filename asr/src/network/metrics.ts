import { Counter, Gauge, type Registry } from '@earshot/platform';
import type { IgnoredReason, RefusalReason } from './protocol.ts';

/** What a host tells its metrics. */
export interface RemoteMetrics {
  sent(samples: number): void;
  failed(reason: RefusalReason): void;
  ignored(reason: IgnoredReason): void;
  late(): void;
}

/** What is looked up when somebody asks. */
export interface RemoteState {
  readonly headroom: number;
  readonly channelCount: number;
  readonly connectionCount: number;
  readonly healthy: boolean;
  lagSeconds(): number[];
}

/** The metrics of an engine by network. Those that every engine has bear the same names as a local one's. */
export function registerRemoteMetrics(registry: Registry, host: () => RemoteState | null): RemoteMetrics {
  const registers = [registry];
  new Gauge({
    name: 'earshot_asr_headroom',
    help: 'Free share of the capacity of this engine, 0 to 1.',
    registers,
    collect() {
      this.set(host()?.headroom ?? 0);
    },
  });
  new Gauge({
    name: 'earshot_asr_channels',
    help: 'Channels open on this engine.',
    registers,
    collect() {
      this.set(host()?.channelCount ?? 0);
    },
  });
  new Gauge({
    name: 'earshot_asr_channel_lag_seconds',
    help: 'Audio that came and is not yet decided, over the open channels: quantiles 0.5, 0.95 and 1.',
    labelNames: ['quantile'],
    registers,
    collect() {
      const lags = (host()?.lagSeconds() ?? []).sort((a, b) => a - b);
      for (const quantile of [0.5, 0.95, 1]) {
        const at = Math.min(lags.length - 1, Math.floor(quantile * lags.length));
        this.set({ quantile: String(quantile) }, lags[at] ?? 0);
      }
    },
  });
  new Gauge({
    name: 'earshot_asr_remote_up',
    help: '1 while the speech server takes streams, 0 while it refuses or cannot be reached.',
    registers,
    collect() {
      this.set(host()?.healthy === true ? 1 : 0);
    },
  });
  new Gauge({
    name: 'earshot_asr_remote_connections',
    help: 'Connections to the speech server.',
    registers,
    collect() {
      this.set(host()?.connectionCount ?? 0);
    },
  });
  const audioSeconds = new Counter({
    name: 'earshot_asr_audio_seconds_total',
    help: 'Audio recognised, without padding.',
    registers,
  });
  const failures = new Counter({
    name: 'earshot_asr_remote_failures_total',
    help: 'Streams to the speech server that failed: key, settings, full or link.',
    labelNames: ['reason'],
    registers,
  });
  const ignored = new Counter({
    name: 'earshot_asr_remote_ignored_total',
    help: 'Messages of the speech server, or words in them, that could not be used: json, type, field, time, order.',
    labelNames: ['reason'],
    registers,
  });
  const late = new Counter({
    name: 'earshot_asr_remote_late_words_total',
    help: 'Words that the speech server said after their time was settled; they are put right behind it.',
    registers,
  });
  return {
    sent: (samples) => audioSeconds.inc(samples / 8000),
    failed: (reason) => failures.inc({ reason }),
    ignored: (reason) => ignored.inc({ reason }),
    late: () => late.inc(),
  };
}
