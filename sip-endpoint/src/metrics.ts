import { Counter, Gauge, type Registry } from '@earshot/platform';
import type { EndpointStats } from './stats.ts';

/** Puts the endpoint's counters before Prometheus; they are read when it asks. */
export function publishStats(registry: Registry, stats: () => EndpointStats): void {
  const single: (readonly [string, string, (now: EndpointStats) => number])[] = [
    [
      'earshot_sip_retransmissions',
      'SIP messages repeated by us or received again.',
      (now) => now.retransmissions,
    ],
    ['earshot_sip_forbidden', 'SIP requests of all methods refused by SIP_ALLOW.', (now) => now.forbidden],
    ['earshot_sip_live_transactions', 'SIP transactions in progress.', (now) => now.liveTransactions],
    ['earshot_sip_live_dialogs', 'SIP dialogs in the table.', (now) => now.liveDialogs],
    ['earshot_sip_tcp_connections', 'Open SIP connections over TCP and TLS.', (now) => now.tcpConnections],
    ['earshot_sip_applications', 'Connected drachtio-srf applications.', (now) => now.applications],
  ];
  if (stats().certificateExpiresAtMs !== undefined)
    single.push([
      'earshot_sip_certificate_expiry_seconds',
      'When the certificate of SIP over TLS runs out, in seconds since 1970.',
      (now) => (now.certificateExpiresAtMs ?? 0) / 1000,
    ]);
  for (const [name, help, value] of single) {
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(value(stats()));
      },
    });
  }
  // The gateway counts all other refusals; these calls never come to it.
  new Counter({
    name: 'earshot_admission_refusals_total',
    help: 'Calls that were not admitted',
    labelNames: ['reason'],
    registers: [registry],
    collect() {
      this.reset();
      this.inc({ reason: 'source' }, stats().forbiddenCalls);
    },
  });
  const tables: readonly (readonly [
    string,
    string,
    string,
    (now: EndpointStats) => Readonly<Record<string, number>>,
  ])[] = [
    ['earshot_sip_endpoint_requests', 'SIP requests received.', 'method', (now) => now.requestsByMethod],
    ['earshot_sip_endpoint_responses', 'SIP responses sent.', 'status', (now) => now.responsesSentByStatus],
    [
      'earshot_sip_parse_failures',
      'SIP messages that could not be parsed.',
      'code',
      (now) => now.parseFailuresByCode,
    ],
  ];
  for (const [name, help, label, values] of tables) {
    new Gauge({
      name,
      help,
      labelNames: [label],
      registers: [registry],
      collect() {
        for (const [key, count] of Object.entries(values(stats()))) this.set({ [label]: key }, count);
      },
    });
  }
}
