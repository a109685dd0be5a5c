import { Counter, Gauge, type Registry } from '@earshot/platform';
import { type HostState, registerHostMetrics } from '../server/host-metrics.ts';
import type { IgnoredReason, RefusalReason } from './protocol.ts';

/** What a host tells its metrics. */
export interface RemoteMetrics {
  sent(samples: number): void;
  failed(reason: RefusalReason): void;
  ignored(reason: IgnoredReason): void;
  late(): void;
}

/** What is looked up when somebody asks. */
export interface RemoteState extends HostState {
  readonly connectionCount: number;
  readonly healthy: boolean;
}

/** The metrics of an engine by network. */
export function registerRemoteMetrics(registry: Registry, host: () => RemoteState | null): RemoteMetrics {
  const sent = registerHostMetrics(registry, host);
  const registers = [registry];
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
    sent,
    failed: (reason) => failures.inc({ reason }),
    ignored: (reason) => ignored.inc({ reason }),
    late: () => late.inc(),
  };
}
