import { randomBytes } from 'node:crypto';
import {
  type CallId,
  DEFAULT_VOCABULARY,
  EarshotError,
  RetranscriptionView,
  VOCABULARY_LIMITS,
  VOCABULARY_NAME_PATTERN,
} from '@earshot/contracts';
import { Type } from '@sinclair/typebox';
import { command } from '../commands.ts';
import { notFound } from '../plugins/problems.ts';
import { findCall } from '../queries/calls.ts';
import {
  createRetranscription,
  findForRetranscription,
  findRetranscription,
  listRetranscriptions,
} from '../queries/retranscriptions.ts';
import { missingVocabulary } from '../queries/vocabulary.ts';
import { guarded, idParams, listOf, PageQuery, ref } from '../schemas/common.ts';
import type { App, Dependencies } from '../types.ts';

const strict = { additionalProperties: false };
const params = idParams('The id of the call.');
const MODEL_PATTERN = '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$';

const Asked = Type.Object(
  {
    model: Type.Optional(
      Type.String({
        pattern: MODEL_PATTERN,
        description: 'Name of an installed model (npm run model -- list). Left out: the one that serves.',
      }),
    ),
    vocabulary: Type.Optional(
      Type.Array(Type.String({ pattern: VOCABULARY_NAME_PATTERN }), {
        maxItems: VOCABULARY_LIMITS.listsOfCall,
        uniqueItems: true,
        description:
          'Names of vocabulary lists; none with []. Left out: the list `default`, if there is one.',
      }),
    ),
  },
  strict,
);

/** Finals on request while a call is live, and its recognition anew when it is over. */
export function registerRetranscriptions(app: App, { db, commands }: Dependencies): void {
  app.post(
    '/v1/calls/:id/finalize',
    {
      schema: {
        tags: ['calls'],
        summary: 'Make what was said so far final',
        operationId: 'finalizeCall',
        description:
          'The open segment of each channel ends here, without waiting for a pause. The finals come as segment.final.',
        params,
        response: {
          202: Type.Object(
            { callId: Type.String(), channels: Type.Integer({ description: 'Channels that were asked.' }) },
            { description: 'The recogniser was asked.' },
          ),
          ...guarded(400, 404, 409),
        },
      },
    },
    async (request, reply) => {
      const call = await findCall(db, request.params.id);
      if (call === null) throw notFound('CALL_NOT_FOUND', request.params.id);
      if (call.state !== 'live') throw new EarshotError('CALL_NOT_LIVE', 'The call has ended.');
      await command(commands, { type: 'call.finalise', callId: call.id as CallId });
      return reply.code(202).send({ callId: call.id, channels: call.channels.length });
    },
  );

  app.post(
    '/v1/calls/:id/retranscribe',
    {
      // Nothing needs to be said: no body is as good as an empty one.
      preValidation: (request, _reply, done) => {
        request.body ??= {};
        done();
      },
      schema: {
        tags: ['calls'],
        summary: 'Recognise the recording of a call again',
        operationId: 'retranscribeCall',
        description:
          'With another model or vocabulary. When it is done the transcript has a new revision, and transcript.revised is sent with what changed; the one before stays under its number. A call has one at a time: 409 while another is queued or running.',
        params,
        body: Asked,
        response: { 202: ref(RetranscriptionView), ...guarded(400, 404, 409) },
      },
    },
    async (request, reply) => {
      const callId = request.params.id;
      const { model, vocabulary } = request.body;
      const call = await findForRetranscription(db, callId);
      if (call === null) throw notFound('CALL_NOT_FOUND', callId);
      if (!call.complete) throw new EarshotError('CALL_NOT_COMPLETE', 'Its transcript is not complete yet.');
      if (!call.recorded) throw new EarshotError('RECORDING_MISSING', 'There is no recording (yet).');
      const [missing] = await missingVocabulary(db, vocabulary ?? []);
      if (missing !== undefined) throw notFound('VOCABULARY_NOT_FOUND', missing);
      const id = `rt_${randomBytes(12).toString('hex')}`;
      const other = await createRetranscription(db, {
        id,
        callId,
        model: model ?? null,
        vocabulary: vocabulary ?? [DEFAULT_VOCABULARY],
      });
      if (other !== null) {
        throw new EarshotError(
          'RETRANSCRIPTION_IN_PROGRESS',
          `The retranscription ${other.id} of this call is ${other.state}.`,
        );
      }
      return reply
        .code(202)
        .header('location', `/v1/calls/${callId}/retranscriptions/${id}`)
        .send(known(await findRetranscription(db, callId, id), id));
    },
  );

  app.get(
    '/v1/calls/:id/retranscriptions',
    {
      schema: {
        tags: ['calls'],
        summary: 'Retranscriptions of a call, newest first',
        operationId: 'listRetranscriptions',
        params,
        querystring: Type.Object(PageQuery),
        response: { 200: listOf(RetranscriptionView, 'A page of retranscriptions.'), ...guarded(400, 404) },
      },
    },
    async (request) => {
      const callId = request.params.id;
      if ((await findForRetranscription(db, callId)) === null) throw notFound('CALL_NOT_FOUND', callId);
      return listRetranscriptions(db, callId, request.query);
    },
  );

  app.get(
    '/v1/calls/:id/retranscriptions/:retranscription',
    {
      schema: {
        tags: ['calls'],
        summary: 'One retranscription: how far it is, what it changed or why it failed',
        operationId: 'getRetranscription',
        params: Type.Object({
          ...params.properties,
          retranscription: Type.String({ maxLength: 100, description: 'The id of the retranscription.' }),
        }),
        response: { 200: ref(RetranscriptionView), ...guarded(400, 404) },
      },
    },
    async (request) => {
      const { id, retranscription } = request.params;
      return known(await findRetranscription(db, id, retranscription), retranscription);
    },
  );
}

function known<T>(retranscription: T | null, id: string): T {
  if (retranscription === null) throw notFound('RETRANSCRIPTION_NOT_FOUND', id);
  return retranscription;
}
