import type { ProcessMetrics } from '@earshot/contracts';

/** The parts of prom-client's JSON that the text format shows. It came over IPC: NaN and infinity are null there. */
export interface MetricJson {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly values: readonly MetricValue[];
}

export interface MetricValue {
  readonly metricName?: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number | null;
}

export const PROMETHEUS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

export const metricsOf = (process: ProcessMetrics): readonly MetricJson[] =>
  process.metrics as readonly MetricJson[];

/** The value of a gauge that one process has; null where none does. */
export const gaugeOf = (processes: readonly ProcessMetrics[], name: string): number | null =>
  processes.flatMap(metricsOf).find((metric) => metric.name === name)?.values[0]?.value ?? null;

/**
 * The text format, version 0.0.4. A metric that several processes have is one family; their series differ by
 * the label `process`, which is added where it is missing.
 */
export function toPrometheus(processes: readonly ProcessMetrics[]): string {
  const families = new Map<string, { head: string; lines: string[] }>();
  for (const process of processes) {
    for (const metric of metricsOf(process)) {
      const help = metric.help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
      const head = `# HELP ${metric.name} ${help}\n# TYPE ${metric.name} ${metric.type}`;
      const family = families.get(metric.name) ?? { head, lines: [] };
      families.set(metric.name, family);
      for (const value of metric.values) {
        const labels = labelsText({ process: process.process, ...value.labels });
        family.lines.push(`${value.metricName ?? metric.name}{${labels}} ${value.value ?? 'NaN'}`);
      }
    }
  }
  return [...families.values()].map((family) => `${[family.head, ...family.lines].join('\n')}\n`).join('\n');
}

const labelsText = (labels: Readonly<Record<string, string | number>>): string =>
  Object.entries(labels)
    .map(([name, value]) => `${name}="${escapeLabel(String(value))}"`)
    .join(',');

const escapeLabel = (value: string): string =>
  value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
