import { Type } from '@sinclair/typebox';
import { metricsOf } from '../formats/prometheus.ts';
import { countLive } from '../queries/calls.ts';
import { guarded } from '../schemas/common.ts';
import type { App, Dependencies } from '../types.ts';

const Capacity = Type.Object({
  liveCalls: Type.Integer(),
  channels: Type.Integer({ description: 'Channels of the live calls.' }),
  maxCalls: Type.Union([Type.Integer(), Type.Null()], { description: 'MAX_CALLS, if set.' }),
  headroom: Type.Union([Type.Number(), Type.Null()], {
    description: 'Free share of recognition, 0 to 1: the mean over the engines. Null when none has said yet.',
  }),
  engines: Type.Array(Type.Object({ process: Type.String(), headroom: Type.Number() })),
});

/** The gauge that each asr engine sets. */
const HEADROOM = /^earshot_(asr_)?headroom(_ratio)?$/;

export function registerCapacity(app: App, { db, metrics, maxCalls }: Dependencies): void {
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
      const [live, processes] = await Promise.all([countLive(db), metrics()]);
      const engines = processes.flatMap((process) =>
        metricsOf(process)
          .filter((metric) => HEADROOM.test(metric.name))
          .flatMap((metric) => metric.values)
          .flatMap(({ value }) => (value === null ? [] : [{ process: process.process, headroom: value }])),
      );
      const sum = engines.reduce((total, engine) => total + engine.headroom, 0);
      return {
        liveCalls: live.calls,
        channels: live.channels,
        maxCalls,
        headroom: engines.length === 0 ? null : sum / engines.length,
        engines,
      };
    },
  );
}
