import { isEarshotError } from '@earshot/contracts';
import { Type } from '@sinclair/typebox';
import { PROMETHEUS_CONTENT_TYPE, toPrometheus } from '../formats/prometheus.ts';
import { problemOf, sendProblem } from '../plugins/problems.ts';
import { readLogState } from '../queries/events.ts';
import { file, problems } from '../schemas/common.ts';
import type { App, Dependencies } from '../types.ts';

const Ok = Type.Object({ status: Type.Literal('ok') });
const open = { security: [] };

/** For orchestrators and Prometheus: no key is needed, and nothing here is about a call. */
export function registerHealth(app: App, { db, busConnected, metrics, admission }: Dependencies): void {
  app.get(
    '/healthz',
    {
      schema: {
        ...open,
        tags: ['server'],
        summary: 'The process is alive',
        operationId: 'healthz',
        response: { 200: Ok, ...problems() },
      },
    },
    () => ({ status: 'ok' as const }),
  );

  app.get(
    '/readyz',
    {
      schema: {
        ...open,
        tags: ['server'],
        summary: 'Requests can be served',
        operationId: 'readyz',
        response: { 200: Ok, ...problems(503) },
      },
    },
    async (request, reply) => {
      const missing: string[] = [];
      try {
        await readLogState(db);
      } catch (error) {
        if (!isEarshotError(error)) throw error;
        missing.push('the database cannot be reached');
      }
      if (!busConnected()) missing.push('transcripts is not connected to the live bus');
      const draining = !admission.open();
      if (missing.length === 0 && !draining) return reply.send({ status: 'ok' as const });
      const faults = [
        ...(draining ? ['The node is draining: live calls go on, new ones are refused.'] : []),
        ...(missing.length > 0 ? [`Missing: ${missing.join('; ')}.`] : []),
      ];
      return sendProblem(reply, problemOf('NOT_READY', faults.join(' '), request.id));
    },
  );

  app.get(
    '/metrics',
    {
      schema: {
        ...open,
        tags: ['server'],
        summary: 'Metrics of all processes, for Prometheus',
        operationId: 'metrics',
        response: { 200: file('Text format 0.0.4.', 'text/plain'), ...problems() },
      },
    },
    async (_request, reply) => reply.type(PROMETHEUS_CONTENT_TYPE).send(toPrometheus(await metrics())),
  );
}
