import { CallView } from '@earshot/contracts';
import { Type } from '@sinclair/typebox';
import { notFound } from '../plugins/problems.ts';
import { findCall, listCalls } from '../queries/calls.ts';
import { guarded, idParams, listOf, oneOf, PageQuery, ref } from '../schemas/common.ts';
import type { App, Dependencies } from '../types.ts';

export function registerCalls(app: App, { db }: Dependencies): void {
  app.get(
    '/v1/calls',
    {
      schema: {
        tags: ['calls'],
        summary: 'Calls, newest first',
        operationId: 'listCalls',
        querystring: Type.Object({
          state: Type.Optional(oneOf(['live', 'ended'], 'Only calls in this state.')),
          q: Type.Optional(
            Type.String({
              maxLength: 200,
              description:
                'Terms that must all be found: as the beginning of a spoken word, in a participant, or in an id.',
            }),
          ),
          externalId: Type.Optional(
            Type.String({
              maxLength: 500,
              description: 'A whole value of externalIds, whatever its name; or name:value.',
            }),
          ),
          ...PageQuery,
        }),
        response: { 200: listOf(CallView, 'A page of calls.'), ...guarded(400) },
      },
    },
    async (request) => listCalls(db, request.query),
  );

  app.get(
    '/v1/calls/:id',
    {
      schema: {
        tags: ['calls'],
        summary: 'One call',
        operationId: 'getCall',
        params: idParams('The id of the call.'),
        response: { 200: ref(CallView), ...guarded(400, 404) },
      },
    },
    async (request) => {
      const call = await findCall(db, request.params.id);
      if (call === null) throw notFound('CALL_NOT_FOUND', request.params.id);
      return call;
    },
  );
}
