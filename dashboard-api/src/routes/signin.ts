import { Type } from '@sinclair/typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { RateLimit } from '../auth/rate-limit.ts';
import { RETURN_COOKIE, RETURN_MS, returnPath } from '../auth/return-path.ts';
import { SESSION_COOKIE, SESSION_MS } from '../auth/session.ts';
import { linkUsedPage, signinPage, tooManyTriesPage, wrongKeyPage } from '../pages.ts';
import type { Guard } from '../plugins/auth.ts';
import { problemOf, sendProblem } from '../plugins/problems.ts';
import { file, guarded, problems } from '../schemas/common.ts';
import type { App, Dependencies } from '../types.ts';

/** Wrong keys and links from one address. */
const FAILURES = 10;
const FAILURES_WINDOW_MS = 60_000;

const KeyForm = Type.Object({ key: Type.String({ minLength: 1, maxLength: 500 }) });
const Link = Type.Object({
  url: Type.String({ description: 'Signs a browser in, once.' }),
  expiresAt: Type.String({ format: 'date-time' }),
});
const html = (reply: FastifyReply, status: number, page: string): FastifyReply =>
  reply.code(status).type('text/html; charset=utf-8').header('cache-control', 'no-store').send(page);

/** Lax, unlike the session: the link that signs in may be in a mail. It says nothing but a path of ours. */
const RETURN = { path: '/signin', httpOnly: true, sameSite: 'lax' } as const;

/** Where the browser goes once it is signed in, by whatever way. */
export const rememberPath = (reply: FastifyReply, asked: string): FastifyReply =>
  reply.setCookie(RETURN_COOKIE, returnPath(asked), { ...RETURN, maxAge: RETURN_MS / 1000 });

const open = { security: [], tags: ['sign-in'] };

/** How a browser gets its session: by a one-time link, or by the API key. */
export function registerSignin(app: App, deps: Dependencies, guard: Guard): void {
  const limit = new RateLimit(FAILURES, FAILURES_WINDOW_MS);
  const secure = deps.publicUrl?.startsWith('https:') ?? false;
  const cookie = { path: '/', httpOnly: true, sameSite: 'strict', secure } as const;

  const admit = (request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const asked = request.cookies[RETURN_COOKIE];
    void reply
      .setCookie(SESSION_COOKIE, guard.sessions.issue(deps.now()), { ...cookie, maxAge: SESSION_MS / 1000 })
      .header('cache-control', 'no-store');
    if (asked !== undefined) void reply.clearCookie(RETURN_COOKIE, RETURN);
    return reply.redirect(returnPath(asked), 303);
  };

  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string', bodyLimit: 4096 },
    (_request, body, done) => done(null, Object.fromEntries(new URLSearchParams(String(body)))),
  );

  app.get(
    '/signin',
    {
      // A HEAD request of a link preview must not use the token up.
      exposeHeadRoute: false,
      schema: {
        ...open,
        summary: 'Sign in by a one-time link',
        operationId: 'signInByLink',
        description: 'Without a token: the page that says how to sign in.',
        querystring: Type.Object({
          token: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
          to: Type.Optional(
            Type.String({ maxLength: 500, description: 'Which page of this site to go to once signed in.' }),
          ),
        }),
        response: {
          303: file('Signed in; on to the page that was asked for, or /.', 'text/html'),
          401: file('Not signed in: there is no token, or the link was used or has expired.', 'text/html'),
          429: file('Too many tries.', 'text/html'),
          ...problems(400),
        },
      },
    },
    async (request, reply) => {
      const { token, to } = request.query;
      if (token === undefined) {
        if (guard.hasSession(request)) return reply.redirect(returnPath(to), 303);
        return html(rememberPath(reply, to ?? '/'), 401, signinPage());
      }
      const waitMs = limit.waitMs(request.ip, deps.now());
      if (waitMs > 0) return tooMany(reply, waitMs);
      if (deps.signinTokens.redeem(token, deps.now())) return admit(request, reply);
      // Going back to a link that this browser has used already is no reason to shut it out.
      if (guard.hasSession(request)) return reply.redirect('/', 303);
      limit.failed(request.ip, deps.now());
      return html(reply, 401, linkUsedPage());
    },
  );

  app.post(
    '/signin',
    {
      schema: {
        ...open,
        summary: 'Sign in by the API key',
        operationId: 'signInByKey',
        body: KeyForm,
        response: {
          303: file('Signed in; on to the page that was asked for, or /.', 'text/html'),
          401: file('The key is wrong.', 'text/html'),
          429: file('Too many tries.', 'text/html'),
          ...problems(400, 403),
        },
      },
    },
    async (request, reply) => {
      const waitMs = limit.waitMs(request.ip, deps.now());
      if (waitMs > 0) return tooMany(reply, waitMs);
      // Another site must not sign its visitors in here (as whom it wants). Programs send no Origin.
      if (request.headers.origin !== undefined && !guard.isOwnOrigin(request)) {
        const detail = 'The Origin header does not name this site.';
        return sendProblem(reply, problemOf('FORBIDDEN_ORIGIN', detail, request.id));
      }
      const { key } = request.body;
      if (guard.isApiKey(key.trim())) return admit(request, reply);
      limit.failed(request.ip, deps.now());
      return html(reply, 401, wrongKeyPage());
    },
  );

  app.post(
    '/signout',
    {
      schema: {
        ...open,
        summary: 'End the session of this browser',
        operationId: 'signOut',
        response: { 303: file('Signed out; on to /.', 'text/html'), ...problems(403) },
      },
    },
    async (request, reply) => {
      if (!guard.isOwnOrigin(request)) {
        const detail = 'The Origin header does not name this site.';
        return sendProblem(reply, problemOf('FORBIDDEN_ORIGIN', detail, request.id));
      }
      const session = guard.session(request);
      // Live connections of its other tabs end after the answer, which takes the cookie away, is out.
      if (session !== null) reply.raw.once('close', () => guard.sessions.signOut(session, deps.now()));
      return reply.clearCookie(SESSION_COOKIE, cookie).redirect('/', 303);
    },
  );

  app.post(
    '/v1/signin-links',
    {
      onRequest: guard.hook,
      schema: {
        tags: ['sign-in'],
        summary: 'Make a one-time sign-in link',
        operationId: 'createSigninLink',
        response: { 201: Link, ...guarded() },
      },
    },
    async (_request, reply) => {
      const { token, expiresAtMs } = deps.signinTokens.issue(deps.now());
      const url = `${deps.baseUrl()}/signin?token=${token}`;
      return reply.code(201).send({ url, expiresAt: new Date(expiresAtMs).toISOString() });
    },
  );
}

function tooMany(reply: FastifyReply, waitMs: number): FastifyReply {
  const seconds = Math.ceil(waitMs / 1000);
  return html(reply.header('retry-after', String(seconds)), 429, tooManyTriesPage(seconds));
}
