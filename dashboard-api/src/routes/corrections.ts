import { CallView, type CallId, type Role } from '@earshot/contracts';
import { Type } from '@sinclair/typebox';
import { command } from '../commands.ts';
import { notFound } from '../plugins/problems.ts';
import { findCall } from '../queries/calls.ts';
import { guarded, oneOf, ref } from '../schemas/common.ts';
import type { App, Dependencies } from '../types.ts';

const ROLES = ['agent', 'customer', 'other', 'mixed', 'unknown'] as const satisfies readonly Role[];

const Text = (description: string) =>
  Type.Optional(Type.Union([Type.String({ minLength: 1, maxLength: 200 }), Type.Null()], { description }));

/** Who speaks on a channel, where the signalling had it wrong. */
export function registerCorrections(app: App, { db, commands }: Dependencies): void {
  app.post(
    '/v1/calls/:id/channels/:index',
    {
      schema: {
        tags: ['calls'],
        summary: 'Correct who speaks on a channel',
        operationId: 'correctChannel',
        description:
          'The call and its transcript follow, what was said before too: `call.updated`, and `transcript.revised` where the role changed. It holds against whatever the signalling says later. Asked again, it changes nothing.',
        params: Type.Object({
          id: Type.String({ minLength: 1, maxLength: 100, description: 'The id of the call.' }),
          index: Type.Integer({ minimum: 0, maximum: 999, description: 'The index of the channel.' }),
        }),
        body: Type.Object(
          {
            role: oneOf(ROLES, 'Who it is.'),
            participant: Type.Optional(
              Type.Object(
                { name: Text('The name; null: none.'), aor: Text('Address of record; null: none.') },
                { additionalProperties: false, description: 'What is left out stays as it is.' },
              ),
            ),
          },
          { additionalProperties: false },
        ),
        response: { 200: ref(CallView), ...guarded(400, 404) },
      },
    },
    async (request) => {
      const { id, index } = request.params;
      const { role, participant = {} } = request.body;
      // There is one key; who has signed in at the page has done so with a token of it.
      const by = request.headers.authorization === undefined ? 'a user of the page' : 'the API key';
      await command(commands, {
        type: 'channel.correct',
        callId: id as CallId,
        index,
        role,
        participant,
        by,
      });
      const call = await findCall(db, id);
      if (call === null) throw notFound('CALL_NOT_FOUND', id);
      return call;
    },
  );
}
