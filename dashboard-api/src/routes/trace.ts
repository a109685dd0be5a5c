import { TraceView } from '@earshot/contracts';
import { toTraceText } from '../formats/trace.ts';
import { notFound } from '../plugins/problems.ts';
import { findTrace } from '../queries/trace.ts';
import { file, guarded, idParams, ref } from '../schemas/common.ts';
import type { App, Dependencies } from '../types.ts';

/** The SIP messages of a call, for who looks for a fault in the signalling. */
export function registerTrace(app: App, { db }: Dependencies): void {
  const find = async (id: string): Promise<TraceView> => {
    const trace = await findTrace(db, id);
    if (trace === null) throw notFound('CALL_NOT_FOUND', id);
    return trace;
  };

  app.get(
    '/v1/calls/:id/trace',
    {
      schema: {
        tags: ['calls'],
        summary: 'The SIP messages of a call',
        operationId: 'getTrace',
        description:
          'Requests and responses with their times and addresses, secrets masked. What the SIP server does by itself is not among them: 100 Trying, messages that are repeated, the answers to a CANCEL. Of a live call it is as of a second ago.',
        params: idParams('The id of the call.'),
        response: { 200: ref(TraceView), ...guarded(400, 404) },
      },
    },
    async (request) => find(request.params.id),
  );

  app.get(
    '/v1/calls/:id/trace.txt',
    {
      schema: {
        tags: ['calls'],
        summary: 'The SIP messages of a call as text',
        operationId: 'getTraceText',
        description: 'A ladder, and the messages below it.',
        params: idParams('The id of the call.'),
        response: { 200: file('The trace.', 'text/plain'), ...guarded(400, 404) },
      },
    },
    async (request, reply) => {
      const trace = await find(request.params.id);
      void reply.type('text/plain; charset=utf-8');
      return toTraceText(trace);
    },
  );
}
