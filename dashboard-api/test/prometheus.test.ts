import { Counter, createRegistry, Histogram } from '@earshot/platform';
import { expect, test } from 'vitest';
import { toPrometheus } from '../src/formats/prometheus.ts';

/** As the metrics arrive: they went through JSON on the way. */
async function processMetrics(name: string, value: number) {
  const registry = createRegistry(name);
  const counter = new Counter({
    name: 'earshot_test_total',
    help: 'Some\nhelp',
    labelNames: ['kind'],
    registers: [registry],
  });
  counter.inc({ kind: 'a "quoted" \\ \n one' }, value);
  const histogram = new Histogram({
    name: 'earshot_test_seconds',
    help: 'h',
    buckets: [0.1, 1],
    registers: [registry],
  });
  histogram.observe(0.5);
  const metrics = JSON.parse(JSON.stringify(await registry.getMetricsAsJSON())) as unknown[];
  return { process: name, pid: 1, metrics };
}

test('a metric of several processes is one family whose series are told apart by process', async () => {
  const text = toPrometheus([await processMetrics('media-0', 3), await processMetrics('media-1', 4)]);
  expect(text.match(/^# TYPE earshot_test_total counter$/gm)).toHaveLength(1);
  expect(text).toContain('# HELP earshot_test_total Some\\nhelp');
  const label = 'kind="a \\"quoted\\" \\\\ \\n one"';
  expect(text).toContain(`earshot_test_total{process="media-0",${label}} 3`);
  expect(text).toContain(`earshot_test_total{process="media-1",${label}} 4`);
});

test('a histogram keeps its buckets, sum and count', async () => {
  const text = toPrometheus([await processMetrics('asr-0', 1)]);
  const series = text.split('\n').filter((line) => line.startsWith('earshot_test_seconds'));
  expect(
    series.map((line) => line.replace(/\{.*?(le="[^"]*")?.*?\}/, (all) => /le="[^"]*"/.exec(all)?.[0] ?? '')),
  ).toEqual([
    'earshot_test_secondsle="0.1" 0'.replace('seconds', 'seconds_bucket'),
    'earshot_test_secondsle="1" 1'.replace('seconds', 'seconds_bucket'),
    'earshot_test_secondsle="+Inf" 1'.replace('seconds', 'seconds_bucket'),
    'earshot_test_seconds_sum 0.5',
    'earshot_test_seconds_count 1',
  ]);
});

test('every line is a comment or a sample, and no series occurs twice', async () => {
  const text = toPrometheus([await processMetrics('a', 1), await processMetrics('b', 1)]);
  const samples = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  expect(samples.length).toBeGreaterThan(50);
  for (const line of samples)
    expect(line).toMatch(/^[a-z_:][a-z0-9_:]*\{.+\} (NaN|[+-]?(\d[\d.]*(e[+-]?\d+)?|Inf))$/);
  const names = samples.map((line) => line.slice(0, line.lastIndexOf(' ')));
  expect(new Set(names).size).toBe(names.length);
});
