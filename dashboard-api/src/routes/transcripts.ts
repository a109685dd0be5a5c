import { TranscriptView } from '@earshot/contracts';
import { Type } from '@sinclair/typebox';
import { CONTENT_TYPES, formatFor, toSrt, toText, toVtt } from '../formats/captions.ts';
import { notFound } from '../plugins/problems.ts';
import { findReplacedTranscript, findTranscript } from '../queries/transcripts.ts';
import { file, guarded, idParams, ref } from '../schemas/common.ts';
import type { App, Dependencies } from '../types.ts';

const asFile = { txt: toText, vtt: toVtt, srt: toSrt };

const DOWNLOADS = [
  ['txt', 'Text', 'text/plain'],
  ['vtt', 'WebVTT', 'text/vtt'],
  ['srt', 'SubRip', 'application/x-subrip'],
] as const;

const querystring = Type.Object({
  revision: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 2 ** 31 - 1,
      description: 'An earlier transcript, that a retranscription replaced. Left out: the newest.',
    }),
  ),
});

/** The finals of a call, as JSON or as a text file, by extension or by the Accept header. */
export function registerTranscripts(app: App, { db }: Dependencies): void {
  const find = async (id: string, revision: number | undefined): Promise<TranscriptView> => {
    const transcript = await findTranscript(db, id);
    if (transcript === null) throw notFound('CALL_NOT_FOUND', id);
    if (revision === undefined || revision === transcript.revision) return transcript;
    const replaced = await findReplacedTranscript(db, id, revision);
    if (replaced === null) throw notFound('REVISION_NOT_FOUND', String(revision));
    return replaced;
  };

  app.get(
    '/v1/calls/:id/transcript',
    {
      schema: {
        tags: ['calls'],
        summary: 'The transcript of a call',
        operationId: 'getTranscript',
        description:
          'The finals in call order, and where audio is missing. Text forms by the Accept header, or by .txt, .vtt and .srt.',
        params: idParams('The id of the call.'),
        querystring,
        response: {
          200: {
            description: 'The transcript.',
            content: {
              'application/json': { schema: ref(TranscriptView) },
              'text/plain': { schema: Type.String() },
              'text/vtt': { schema: Type.String() },
              'application/x-subrip': { schema: Type.String() },
            },
          },
          ...guarded(400, 404),
        },
      },
    },
    async (request, reply) => {
      const transcript = await find(request.params.id, request.query.revision);
      const format = formatFor(request.headers.accept);
      void reply.header('vary', 'accept').type(CONTENT_TYPES[format]);
      return format === 'json' ? transcript : asFile[format](transcript.segments, transcript.gaps);
    },
  );

  for (const [extension, name, type] of DOWNLOADS) {
    app.get(
      `/v1/calls/:id/transcript.${extension}`,
      {
        schema: {
          tags: ['calls'],
          summary: `The transcript of a call as ${name}`,
          operationId: `getTranscript${name}`,
          params: idParams('The id of the call.'),
          querystring,
          response: { 200: file(`${name}.`, type), ...guarded(400, 404) },
        },
      },
      async (request, reply) => {
        const transcript = await find(request.params.id, request.query.revision);
        void reply.type(CONTENT_TYPES[extension]);
        return asFile[extension](transcript.segments, transcript.gaps);
      },
    );
  }
}
