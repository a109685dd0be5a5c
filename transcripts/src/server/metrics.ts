import { Counter, Gauge, Histogram, type Registry } from '@earshot/platform';

export interface TranscriptsMetrics {
  readonly segments: Counter;
  readonly words: Counter;
  readonly commitSeconds: Histogram;
  readonly wordLatency: Histogram<'kind'>;
  readonly wordsDropped: Counter<'reason'>;
  readonly completed: Counter;
  readonly revised: Counter;
  readonly ledgerParts: Counter;
  readonly alerts: Counter<'kind'>;
}

export function createMetrics(registry: Registry, queueLength: () => number): TranscriptsMetrics {
  const registers = [registry];
  new Gauge({
    name: 'earshot_commit_queue',
    help: 'Changes of the call log that wait for their commit.',
    registers,
    collect() {
      this.set(queueLength());
    },
  });
  return {
    segments: new Counter({ name: 'earshot_segments_total', help: 'Final segments logged.', registers }),
    words: new Counter({ name: 'earshot_words_total', help: 'Words in logged segments.', registers }),
    commitSeconds: new Histogram({
      name: 'earshot_commit_seconds',
      help: 'Duration of a transaction of the call log.',
      buckets: [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5],
      registers,
    }),
    wordLatency: new Histogram({
      name: 'earshot_word_latency_seconds',
      help: "Arrival of a word's last audio to its delivery on the live bus.",
      labelNames: ['kind'],
      buckets: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.25, 1.5, 2, 3, 5],
      registers,
    }),
    wordsDropped: new Counter({
      name: 'earshot_words_dropped_total',
      help: 'Messages with words that were not taken, by reason.',
      labelNames: ['reason'],
      registers,
    }),
    completed: new Counter({
      name: 'earshot_transcripts_completed_total',
      help: 'Transcripts found complete.',
      registers,
    }),
    revised: new Counter({
      name: 'earshot_transcripts_revised_total',
      help: 'Transcripts that a retranscription replaced.',
      registers,
    }),
    ledgerParts: new Counter({
      name: 'earshot_ledger_parts_total',
      help: "Parts of channels' ledgers logged.",
      registers,
    }),
    alerts: new Counter({
      name: 'earshot_alerts_total',
      help: 'Events alert.raised, by kind.',
      labelNames: ['kind'],
      registers,
    }),
  };
}
