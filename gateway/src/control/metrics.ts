import { Counter, Gauge, Histogram, type Registry } from '@earshot/platform';

export type GatewayMetrics = ReturnType<typeof createMetrics>;

/** What is asked for whenever the metrics are read. Null: nobody knows yet, and the metric has no value. */
export interface NodeState {
  readonly draining: boolean;
  readonly capacity: number | null;
  readonly headroom: number | null;
}

/** The gateway's metrics. Labels come from fixed lists: nothing that a caller chooses becomes a label. */
export function createMetrics(registry: Registry, state: () => NodeState) {
  const registers = [registry];
  const gauge = (name: string, help: string, value: () => number | null): Gauge =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        const now = value();
        if (now === null) this.remove();
        else this.set(now);
      },
    });
  return {
    capacity: gauge(
      'earshot_capacity_calls',
      'Calls like the live ones that fit, a fifth of the engines kept back',
      () => state().capacity,
    ),
    headroom: gauge(
      'earshot_capacity_headroom',
      'Free share of the engines that serve, 0 to 1',
      () => state().headroom,
    ),
    draining: gauge('earshot_draining', '1: new calls are refused, live ones go on', () =>
      Number(state().draining),
    ),
    liveCalls: new Gauge({
      name: 'earshot_live_calls',
      help: 'Calls that are being taken or are live',
      registers,
    }),
    setupSeconds: new Histogram({
      name: 'earshot_call_setup_seconds',
      help: 'From the INVITE to its 200',
      buckets: [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2],
      registers,
    }),
    calls: new Counter({
      name: 'earshot_calls_total',
      help: 'Calls by how they ended, and refused ones',
      labelNames: ['outcome'],
      registers,
    }),
    recordedFirst: new Counter({
      name: 'earshot_record_first_calls_total',
      help: 'Calls that were taken beyond what recognition had room for: recorded, and recognised later',
      registers,
    }),
    refusals: new Counter({
      name: 'earshot_admission_refusals_total',
      help: 'Calls that were not admitted',
      labelNames: ['reason'],
      registers,
    }),
    requests: new Counter({
      name: 'earshot_sip_requests_total',
      help: 'SIP requests received',
      labelNames: ['method'],
      registers,
    }),
  };
}

const METHODS = new Set([
  'INVITE',
  'ACK',
  'BYE',
  'CANCEL',
  'OPTIONS',
  'INFO',
  'UPDATE',
  'PRACK',
  'MESSAGE',
  'NOTIFY',
  'REFER',
  'SUBSCRIBE',
  'REGISTER',
]);

export const methodLabel = (method: string): string => (METHODS.has(method) ? method : 'other');
