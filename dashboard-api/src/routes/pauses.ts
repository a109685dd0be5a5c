import type { CallId } from '@earshot/contracts';
import { Type } from '@sinclair/typebox';
import { command } from '../commands.ts';
import { guarded, idParams } from '../schemas/common.ts';
import type { App, Dependencies } from '../types.ts';

const PauseView = Type.Object(
  { callId: Type.String(), paused: Type.Boolean() },
  { description: 'It is so: the media worker does it, and the call log has it.' },
);

const DOINGS = [
  [
    'pause',
    true,
    'Record and recognise nothing of a call for now',
    'For what may not be kept, such as a card number. What comes until resume is dropped as it arrives: it is on no disk and in no transcript, and the ledger has it as `paused`. Asked again, it is paused still.',
  ],
  [
    'resume',
    false,
    'Go on recording and recognising a call',
    'What came while it was paused is not to be had again. Asked of a call that is not paused, it changes nothing.',
  ],
] as const;

/**
 * Nothing is asked of the database here: transcripts knows the live calls, and a card number does not wait until the database is back.
 */
export function registerPauses(app: App, { commands }: Dependencies): void {
  for (const [doing, paused, summary, description] of DOINGS) {
    app.post(
      `/v1/calls/:id/${doing}`,
      {
        schema: {
          tags: ['calls'],
          summary,
          operationId: `${doing}Call`,
          description,
          params: idParams('The id of the call.'),
          response: { 200: PauseView, ...guarded(400, 404, 409) },
        },
      },
      async (request) => {
        const callId = request.params.id as CallId;
        await command(commands, { type: 'call.pause', callId, paused });
        return { callId, paused };
      },
    );
  }
}
