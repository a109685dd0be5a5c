import { Counter, Gauge, Histogram, type Registry } from '@earshot/platform';

export type GatewayMetrics = ReturnType<typeof createMetrics>;

/** The gateway's metrics. Labels come from fixed lists: nothing that a caller chooses becomes a label. */
export function createMetrics(registry: Registry) {
  const registers = [registry];
  return {
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
