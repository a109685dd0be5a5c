import { Counter, Gauge, type Registry } from '@earshot/platform';
import type { ShadowLine } from './report.ts';

export interface ShadowMetrics {
  call(outcome: ShadowLine['outcome']): void;
  compared(words: number, differences: number): void;
}

export function registerShadowMetrics(
  registry: Registry,
  now: { readonly channels: () => number; readonly lagSeconds: () => number; readonly speed: () => number },
): ShadowMetrics {
  const registers = [registry];
  const calls = new Counter({
    name: 'earshot_shadow_calls_total',
    help: 'Calls that the shadow model compared, skipped because it had enough, or could not hear.',
    labelNames: ['outcome'],
    registers,
  });
  const words = new Counter({
    name: 'earshot_shadow_words_total',
    help: 'Words of the serving model in compared calls.',
    registers,
  });
  const differences = new Counter({
    name: 'earshot_shadow_differences_total',
    help: 'Words that the shadow model heard otherwise: substituted, inserted or deleted.',
    registers,
  });
  let wordsSoFar = 0;
  let differencesSoFar = 0;
  new Gauge({
    name: 'earshot_shadow_difference_rate',
    help: 'Differences over words of the serving model, since the shadow began.',
    registers,
    collect() {
      this.set(wordsSoFar === 0 ? 0 : differencesSoFar / wordsSoFar);
    },
  });
  const gauges: readonly [string, string, () => number][] = [
    ['earshot_shadow_channels', 'Channels that the shadow hears now.', now.channels],
    [
      'earshot_shadow_lag_seconds',
      'Audio in the spool that the shadow has not recognised, at most.',
      now.lagSeconds,
    ],
    ['earshot_shadow_speed', 'Seconds of audio for a second of the shadow model’s time.', now.speed],
  ];
  for (const [name, help, value] of gauges) {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(value());
      },
    });
  }
  return {
    call: (outcome) => calls.inc({ outcome }),
    compared: (count, different) => {
      words.inc(count);
      differences.inc(different);
      wordsSoFar += count;
      differencesSoFar += different;
    },
  };
}
