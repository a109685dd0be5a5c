import { Type } from '@sinclair/typebox';
import { gaugeOf, metricsOf } from '../formats/prometheus.ts';
import { countLive, countWaiting } from '../queries/calls.ts';
import { guarded } from '../schemas/common.ts';
import type { App, Dependencies } from '../types.ts';

const Capacity = Type.Object({
  liveCalls: Type.Integer(),
  channels: Type.Integer({ description: 'Channels of the live calls.' }),
  maxCalls: Type.Union([Type.Integer(), Type.Null()], { description: 'MAX_CALLS, if set.' }),
  capacityCalls: Type.Union([Type.Integer(), Type.Null()], {
    description:
      'Calls like the live ones that are taken in all: MAX_CALLS, or what the engines carry with a fifth kept back, as measured. Null while nobody knows.',
  }),
  headroom: Type.Union([Type.Number(), Type.Null()], {
    description:
      'Free share of the engines that serve, 0 to 1; what stands by is not counted. Null when none has said yet.',
  }),
  waiting: Type.Object(
    {
      calls: Type.Integer(),
      oldestSeconds: Type.Union([Type.Number(), Type.Null()], {
        description: 'Since the oldest of them began. Null where none waits.',
      }),
    },
    { description: 'Calls that were recorded first and wait for recognition, live and ended.' },
  ),
  draining: Type.Boolean({ description: 'New calls are refused, live ones go on: POST /v1/drain.' }),
  sip: Type.Union(
    [
      Type.Object({
        host: Type.String({
          description: 'The address it listens on; 0.0.0.0 and :: are all of the machine.',
        }),
        port: Type.Integer({ description: 'UDP and TCP.' }),
      }),
      Type.Null(),
    ],
    { description: 'Where calls can be forked to. Null when that is a matter of a drachtio-server.' },
  ),
  engines: Type.Array(Type.Object({ process: Type.String(), headroom: Type.Number() })),
});

/** Its own SIP endpoint is among the processes, unless a drachtio-server stands in for it. */
const SIP_ENDPOINT = /^sip-endpoint\b/;
/** The gauge that each asr engine sets. */
const HEADROOM = 'earshot_asr_headroom';

export function registerCapacity(app: App, { db, metrics, maxCalls, admission, sip }: Dependencies): void {
  app.get(
    '/v1/capacity',
    {
      schema: {
        tags: ['server'],
        summary: 'How much is going on, and how much more would fit',
        operationId: 'getCapacity',
        response: { 200: Capacity, ...guarded() },
      },
    },
    async () => {
      const [live, waiting, processes] = await Promise.all([countLive(db), countWaiting(db), metrics()]);
      const engines = processes.flatMap((process) =>
        metricsOf(process)
          .filter((metric) => metric.name === HEADROOM)
          .flatMap((metric) => metric.values)
          .flatMap(({ value }) => (value === null ? [] : [{ process: process.process, headroom: value }])),
      );
      return {
        liveCalls: live.calls,
        channels: live.channels,
        maxCalls,
        // The gateway knows: it is who admits calls by it.
        capacityCalls: gaugeOf(processes, 'earshot_capacity_calls'),
        headroom: gaugeOf(processes, 'earshot_capacity_headroom'),
        waiting,
        draining: !admission.open(),
        sip: processes.some(({ process }) => SIP_ENDPOINT.test(process)) ? sip : null,
        engines,
      };
    },
  );
}
