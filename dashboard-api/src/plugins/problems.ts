import {
  catalogue,
  EarshotError,
  type ErrorCode,
  isEarshotError,
  type ProblemView,
} from '@earshot/contracts';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { notFoundPage } from '../pages.ts';
import type { App } from '../types.ts';
import { securityHeaders } from './security-headers.ts';

type FieldError = NonNullable<ProblemView['errors']>[number];

/** What is wrong with a request beyond its schema, field by field. */
export class RequestError extends EarshotError {
  readonly fields: FieldError[];
  constructor(message: string, fields: FieldError[]) {
    super('REQUEST_INVALID', message);
    this.fields = fields;
  }
}

/** RFC 9457 problem details from the catalogue. */
export function problemOf(
  code: ErrorCode,
  detail: string,
  requestId: string,
  options: { status?: number; errors?: FieldError[] } = {},
): ProblemView {
  const entry = catalogue[code];
  return {
    type: `urn:earshot:error:${code}`,
    title: entry.title,
    status: options.status ?? entry.status,
    code,
    detail,
    action: entry.action,
    requestId,
    ...(options.errors === undefined ? {} : { errors: options.errors }),
  };
}

export function sendProblem(reply: FastifyReply, problem: ProblemView): FastifyReply {
  if (problem.status === 401) void reply.header('www-authenticate', 'Bearer realm="earshot"');
  return reply.code(problem.status).type('application/problem+json').send(problem);
}

/** Every error of every route, and every unknown path, as a problem. Ours in particular show nothing of the inside. */
export function registerProblems(app: App): void {
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const problem = problemFor(error, request);
    if (problem.status >= 500)
      request.log.error({ err: error, route: request.routeOptions.url }, 'request failed');
    return sendProblem(reply, problem);
  });
  // PostgreSQL's text cannot hold it, and no id, word or name has one.
  app.addHook('onRequest', (request, _reply, done) => {
    const nul = request.url.includes('%00');
    done(nul ? new EarshotError('REQUEST_INVALID', 'The address has a NUL character in it.') : undefined);
  });
  app.setNotFoundHandler((request, reply) => {
    if (isForPerson(request)) return reply.code(404).type('text/html; charset=utf-8').send(notFoundPage());
    return sendProblem(
      reply,
      problemOf('NOT_FOUND', `There is no ${request.method} on this path.`, request.id),
    );
  });
}

/** A browser that goes to an address, not a program that asks the API. */
const isForPerson = (request: FastifyRequest): boolean =>
  request.method === 'GET' &&
  !request.url.startsWith('/v1/') &&
  (request.headers.accept ?? '').includes('text/html');

/** For addresses that cannot be decoded, which reach neither hooks nor routes. */
export function refuseBrokenUrl(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  const status = error.statusCode ?? 400;
  const detail = 'The address cannot be read: look at its percent-encoding.';
  sendProblem(
    reply.headers(securityHeaders(request)),
    problemOf(status < 500 ? 'REQUEST_INVALID' : 'INTERNAL', detail, request.id, { status }),
  );
}

function problemFor(error: FastifyError, request: FastifyRequest): ProblemView {
  if (error instanceof RequestError)
    return problemOf(error.code, error.message, request.id, { errors: error.fields });
  if (isEarshotError(error)) return problemOf(error.code, error.message, request.id);
  if (error.validation !== undefined) {
    const errors = error.validation.map((fault) => fieldError(error.validationContext ?? 'request', fault));
    const detail = `${errors.length === 1 ? 'One field is' : `${errors.length} fields are`} not valid.`;
    return problemOf('REQUEST_INVALID', detail, request.id, { errors });
  }
  const status = error.statusCode ?? 500;
  // Fastify's own refusals: a body too large, not JSON, of an unknown type.
  if (status >= 400 && status < 500) {
    return problemOf('REQUEST_INVALID', error.message, request.id, { status });
  }
  return problemOf('INTERNAL', 'The request failed.', request.id);
}

interface Fault {
  readonly keyword: string;
  readonly instancePath: string;
  readonly params: Record<string, unknown>;
  readonly message?: string | undefined;
}

/** A missing or unknown field is named itself, not only the object it is in. */
function fieldError(context: string, fault: Fault): FieldError {
  const field = fault.params['missingProperty'] ?? fault.params['additionalProperty'];
  const path = `${context}${fault.instancePath}${typeof field === 'string' ? `/${field}` : ''}`;
  return { path, message: fault.message ?? 'is not valid' };
}

type NotFound =
  | 'CALL_NOT_FOUND'
  | 'RETRANSCRIPTION_NOT_FOUND'
  | 'REVISION_NOT_FOUND'
  | 'VOCABULARY_NOT_FOUND'
  | 'WEBHOOK_NOT_FOUND';

export const notFound = (code: NotFound, id: string): EarshotError =>
  new EarshotError(code, `There is nothing with the id ${id}.`);
