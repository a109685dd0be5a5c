import { Counter, Gauge, type Registry } from '@earshot/platform';

/** What is looked up when somebody asks. */
export interface HostState {
  readonly headroom: number;
  readonly channelCount: number;
  lagSeconds(): number[];
}

/**
 * What every engine tells by the same names, ours and one by network alike.
 * @param host null until it runs
 * @returns what is to be told of audio that was recognised, in samples at 8 kHz
 */
export function registerHostMetrics(
  registry: Registry,
  host: () => HostState | null,
): (samples: number) => void {
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
    help: 'Audio that came and is not yet decided, over the open channels: quantiles 0.5, 0.95 and 1. Below a chunk is normal.',
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
  const audioSeconds = new Counter({
    name: 'earshot_asr_audio_seconds_total',
    help: 'Audio recognised, without padding.',
    registers,
  });
  return (samples) => audioSeconds.inc(samples / 8000);
}
