import {
  EarshotError,
  MAX_BOOST,
  VOCABULARY_LIMITS,
  VOCABULARY_NAME_PATTERN,
  VocabularySummaryView,
  VocabularyView,
} from '@earshot/contracts';
import { Type } from '@sinclair/typebox';
import { command } from '../commands.ts';
import { normalisePhrases } from '../phrases.ts';
import { notFound, RequestError } from '../plugins/problems.ts';
import { decodeNameCursor, encodeNameCursor } from '../queries/page.ts';
import { findVocabulary, listVocabulary } from '../queries/vocabulary.ts';
import { guarded, listOf, PageQuery, ref } from '../schemas/common.ts';
import type { App, Dependencies } from '../types.ts';

/** A thousand phrases of 64 characters, four bytes each, and what JSON puts around them. */
const BODY_LIMIT_BYTES = 512 * 1024;
const strict = { additionalProperties: false };

const params = Type.Object({
  name: Type.String({
    pattern: VOCABULARY_NAME_PATTERN,
    description: 'Name of the list. `default` is that of the calls that name none.',
  }),
});

const Phrase = Type.Object(
  {
    text: Type.String({
      maxLength: 200,
      description:
        'Words as they are spoken, without digits. Case and punctuation do not matter: they are taken off.',
    }),
    boost: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: MAX_BOOST,
        description: 'How strongly it is preferred; usually 2.',
      }),
    ),
  },
  strict,
);

/** Lists of phrases that recognition prefers. Written by transcripts, which tells the engines. */
export function registerVocabulary(app: App, { db, commands }: Dependencies): void {
  app.get(
    '/v1/vocabulary',
    {
      schema: {
        tags: ['vocabulary'],
        summary: 'Vocabulary lists, by name',
        operationId: 'listVocabulary',
        querystring: Type.Object(PageQuery),
        response: { 200: listOf(VocabularySummaryView, 'A page of lists.'), ...guarded(400) },
      },
    },
    async (request) => {
      const { limit, cursor } = request.query;
      const after = cursor === undefined ? '' : decodeNameCursor(cursor);
      const rows = await listVocabulary(db, after, limit + 1);
      const items = rows.slice(0, limit);
      const last = items.at(-1);
      return {
        items,
        nextCursor: rows.length > limit && last !== undefined ? encodeNameCursor(last.name) : null,
      };
    },
  );

  app.get(
    '/v1/vocabulary/:name',
    {
      schema: {
        tags: ['vocabulary'],
        summary: 'One vocabulary list',
        operationId: 'getVocabulary',
        params,
        response: { 200: ref(VocabularyView), ...guarded(400, 404) },
      },
    },
    async (request) => {
      const list = await findVocabulary(db, request.params.name);
      if (list === null) throw notFound('VOCABULARY_NOT_FOUND', request.params.name);
      return list;
    },
  );

  app.put(
    '/v1/vocabulary/:name',
    {
      bodyLimit: BODY_LIMIT_BYTES,
      schema: {
        tags: ['vocabulary'],
        summary: 'Make or replace a vocabulary list',
        operationId: 'putVocabulary',
        description:
          'Channels that are opened from now on use it. Phrases are kept as spoken words in lower case, each once.',
        params,
        body: Type.Object(
          {
            phrases: Type.Array(Phrase, {
              maxItems: VOCABULARY_LIMITS.phrases,
              description: 'What to prefer.',
            }),
          },
          strict,
        ),
        response: { 200: ref(VocabularyView), ...guarded(400, 409) },
      },
    },
    async (request) => {
      const { name } = request.params;
      const { phrases, faults } = normalisePhrases(request.body.phrases);
      const [first] = faults;
      if (first !== undefined) {
        throw new RequestError(
          `Phrase ${first.index} ${first.fault}.`,
          faults.map(({ index, fault }) => ({ path: `body/phrases/${index}/text`, message: fault })),
        );
      }
      await command(commands, { type: 'vocabulary.put', name, phrases });
      const list = await findVocabulary(db, name);
      if (list === null) throw new EarshotError('VOCABULARY_NOT_FOUND', 'It was removed meanwhile.');
      return list;
    },
  );

  app.delete(
    '/v1/vocabulary/:name',
    {
      schema: {
        tags: ['vocabulary'],
        summary: 'Remove a vocabulary list',
        operationId: 'deleteVocabulary',
        params,
        response: { 204: Type.Null({ description: 'It is gone.' }), ...guarded(400, 404) },
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      if ((await findVocabulary(db, name)) === null) throw notFound('VOCABULARY_NOT_FOUND', name);
      await command(commands, { type: 'vocabulary.delete', name });
      return reply.code(204).send(null);
    },
  );
}
