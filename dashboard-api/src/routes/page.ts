import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { notBuiltPage, sameSitePage, signinPage } from '../pages.ts';
import type { Guard } from '../plugins/auth.ts';
import type { App, Dependencies } from '../types.ts';
import { rememberPath } from './signin.ts';

/** The web page, to browsers that are signed in. Its files under /assets/ have nothing to hide. */
export function registerPage(app: App, { pageDir }: Dependencies, guard: Guard): void {
  const page = (request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    void reply.type('text/html; charset=utf-8').header('cache-control', 'no-store');
    if (!guard.hasSession(request)) {
      const cameFromElsewhere = request.headers['sec-fetch-site'] === 'cross-site';
      if (cameFromElsewhere) return reply.send(sameSitePage());
      return rememberPath(reply, request.url).code(401).send(signinPage());
    }
    // Looked for each time: the page may be built while we run.
    if (!existsSync(join(pageDir, 'index.html'))) return reply.code(503).send(notBuiltPage());
    return reply.sendFile('index.html', pageDir, { cacheControl: false });
  };
  for (const url of ['/', '/calls/:id']) app.get(url, { schema: { hide: true } }, page);

  app.get('/assets/:file', { schema: { hide: true } }, (request, reply) => {
    const { file } = request.params as { file: string };
    // File names carry a hash of their content.
    return reply.sendFile(`assets/${file}`, pageDir, { maxAge: '1y', immutable: true });
  });
  app.get('/favicon.svg', { schema: { hide: true } }, (_request, reply) =>
    reply.sendFile('favicon.svg', pageDir),
  );
}
