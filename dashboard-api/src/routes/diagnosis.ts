import { DiagnosisView } from '@earshot/contracts';
import { diagnose } from '../diagnosis/diagnosis.ts';
import { notFound } from '../plugins/problems.ts';
import { findEvidence } from '../queries/diagnosis.ts';
import { guarded, idParams, ref } from '../schemas/common.ts';
import type { App, Dependencies } from '../types.ts';

/** Why a transcript is empty. */
export function registerDiagnosis(app: App, { db }: Dependencies): void {
  app.get(
    '/v1/calls/:id/diagnosis',
    {
      schema: {
        tags: ['calls'],
        summary: 'Why the transcript of a call is empty, or that of a channel',
        operationId: 'getDiagnosis',
        description:
          'Read from the SIP trace, the ledger, and how loud the channels were: what is so, from what it was read, and what to do. Most telling first; then why its audio was not kept, where the disk was full. Empty where every channel has words and all was kept.',
        params: idParams('The id of the call.'),
        response: { 200: ref(DiagnosisView), ...guarded(400, 404) },
      },
    },
    async (request) => {
      const evidence = await findEvidence(db, request.params.id);
      if (evidence === null) throw notFound('CALL_NOT_FOUND', request.params.id);
      return diagnose(evidence);
    },
  );
}
