import { type Static, type TSchema, Type } from '@sinclair/typebox';
import {
  CallView,
  DeliveryView,
  DiagnosisView,
  EventView,
  LedgerView,
  ProblemView,
  RetranscriptionView,
  TraceView,
  TranscriptView,
  VocabularySummaryView,
  VocabularyView,
  WebhookView,
} from '@earshot/contracts';

/** The schemas that get a name in the OpenAPI document. */
export const namedSchemas: readonly TSchema[] = [
  CallView,
  TranscriptView,
  LedgerView,
  TraceView,
  DiagnosisView,
  EventView,
  WebhookView,
  DeliveryView,
  RetranscriptionView,
  VocabularyView,
  VocabularySummaryView,
  ProblemView,
];

/** A reference to a named schema; keeps the type. */
export const ref = <T extends TSchema>(schema: T) =>
  Type.Unsafe<Static<T>>({ $ref: `${String(schema.$id)}#` });

/** One of some strings, as an enum: its faults are easier to read than those of a union of constants. */
export const oneOf = <const T extends string>(values: readonly T[], description: string) =>
  Type.Unsafe<T>({ type: 'string', enum: [...values], description });

export const listOf = <T extends TSchema>(schema: T, description: string) =>
  Type.Object(
    {
      items: Type.Array(ref(schema)),
      nextCursor: Type.Union([Type.String(), Type.Null()], {
        description: 'Give it as cursor to get the next page; null on the last one.',
      }),
    },
    { description },
  );

export const PageQuery = {
  limit: Type.Integer({ minimum: 1, maximum: 500, default: 50, description: 'Items on a page.' }),
  cursor: Type.Optional(
    Type.String({ maxLength: 500, description: 'nextCursor of the page before this one.' }),
  ),
};

export const idParams = (description: string) =>
  Type.Object({ id: Type.String({ minLength: 1, maxLength: 100, description }) });

const PROBLEMS: Readonly<Record<number, string>> = {
  400: 'The request is not valid.',
  401: 'No key and no session.',
  403: 'The request comes from another site.',
  404: 'Not found.',
  409: 'Not in the state that it takes.',
  426: 'Upgrade to WebSocket is needed.',
  429: 'Too many requests.',
  500: 'Something went wrong on our side.',
  503: 'Not ready, or the database cannot be reached.',
};

const problem = (description: string) => ({
  description,
  content: { 'application/problem+json': { schema: ref(ProblemView) } },
});

/** Error responses by status, as RFC 9457 problem details. 500 is always among them. */
export function problems<Status extends number>(
  ...statuses: Status[]
): Record<Status | 500, ReturnType<typeof problem>> {
  const entries = [...statuses, 500].map((status) => [status, problem(PROBLEMS[status] ?? 'An error.')]);
  return Object.fromEntries(entries) as Record<Status | 500, ReturnType<typeof problem>>;
}

/** What every route behind the key may answer besides its own. */
export const guarded = <Status extends number>(...statuses: Status[]) =>
  problems<Status | 401 | 403 | 503>(401, 403, 503, ...statuses);

/** A response that is not JSON. */
export const file = (description: string, ...types: string[]) => ({
  description,
  content: Object.fromEntries(types.map((type) => [type, { schema: Type.String() }])),
});
