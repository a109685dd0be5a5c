import { EarshotError } from '@earshot/contracts';
import type { FastifyRequest, onRequestHookHandler } from 'fastify';
import { sameSecret } from '../auth/api-key.ts';
import { isOwnOrigin } from '../auth/origin.ts';
import { type Session, SESSION_COOKIE, Sessions } from '../auth/session.ts';
import type { Dependencies } from '../types.ts';

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Who may come in: the API key, or a browser's session. */
export class Guard {
  readonly sessions: Sessions;
  readonly #deps: Dependencies;

  constructor(deps: Dependencies) {
    this.#deps = deps;
    this.sessions = new Sessions(deps.sessionSecret);
  }

  isApiKey(key: string): boolean {
    return sameSecret(key, this.#deps.apiKey);
  }

  session(request: FastifyRequest): Session | null {
    return this.sessions.read(request.cookies[SESSION_COOKIE], this.#deps.now());
  }

  hasSession(request: FastifyRequest): boolean {
    return this.session(request) !== null;
  }

  /** For a connection that lasts: calls `ended` when the session that let it in ends. A key does not end. */
  whileSignedIn(request: FastifyRequest, ended: () => void): () => void {
    if (request.headers.authorization !== undefined) return () => undefined;
    const session = this.session(request);
    if (session !== null) return this.sessions.watch(session, this.#deps.now(), ended);
    ended();
    return () => undefined;
  }

  isOwnOrigin(request: FastifyRequest): boolean {
    return isOwnOrigin(request.headers.origin, request.headers.host, this.#deps.publicUrl);
  }

  /** onRequest hook of everything under /v1. */
  readonly hook: onRequestHookHandler = (request, _reply, done) => {
    done(this.#refusal(request) ?? undefined);
  };

  #refusal(request: FastifyRequest): EarshotError | null {
    const { authorization } = request.headers;
    if (authorization !== undefined) {
      const key = /^bearer +(\S+) *$/i.exec(authorization)?.[1];
      if (key !== undefined && this.isApiKey(key)) return null;
      return new EarshotError('UNAUTHENTICATED', 'The key in Authorization is not the one of this server.');
    }
    if (!this.hasSession(request)) {
      return new EarshotError('UNAUTHENTICATED', 'There is neither a key nor a session.');
    }
    // A session goes with every request that a browser makes, also with those another page makes it make: what
    // changes something, and a WebSocket (which no same-origin policy holds back), must come from our own page.
    const fromAnywhere = SAFE_METHODS.has(request.method) && !request.ws;
    if (fromAnywhere || this.isOwnOrigin(request)) return null;
    return new EarshotError('FORBIDDEN_ORIGIN', 'The Origin header does not name this site.');
  }
}
