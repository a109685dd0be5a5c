import { Counter, Gauge, Histogram, type Registry } from '@earshot/platform';

export interface PostCallMetrics {
  readonly jobs: Counter<'queue' | 'outcome'>;
  readonly deliveries: Counter<'outcome'>;
  readonly deliverySeconds: Histogram;
  readonly recordings: Counter<'outcome'>;
  readonly retranscriptions: Counter<'outcome'>;
  readonly outboxRows: Gauge;
}

export function createMetrics(registry: Registry): PostCallMetrics {
  const registers = [registry];
  return {
    jobs: new Counter({
      name: 'earshot_jobs_total',
      help: 'Runs of jobs: completed, or failed (and maybe tried again).',
      labelNames: ['queue', 'outcome'],
      registers,
    }),
    deliveries: new Counter({
      name: 'earshot_webhook_deliveries_total',
      help: 'Attempts to deliver a webhook: delivered, retry, failed, gone or refused.',
      labelNames: ['outcome'],
      registers,
    }),
    deliverySeconds: new Histogram({
      name: 'earshot_webhook_delivery_seconds',
      help: 'Duration of an attempt to deliver a webhook.',
      buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30, 60],
      registers,
    }),
    recordings: new Counter({
      name: 'earshot_recordings_total',
      help: 'Recordings: made, empty (no audio came), off or failed.',
      labelNames: ['outcome'],
      registers,
    }),
    retranscriptions: new Counter({
      name: 'earshot_retranscriptions_total',
      help: 'Runs of retranscriptions: done, retry (tried again) or failed.',
      labelNames: ['outcome'],
      registers,
    }),
    outboxRows: new Gauge({
      name: 'earshot_outbox_rows',
      help: 'Outbox rows that are not jobs yet, as last seen.',
      registers,
    }),
  };
}
