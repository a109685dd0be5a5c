import { createHash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import type { App } from '../types.ts';
import { PLAIN_PAGE_STYLE } from '../pages.ts';

const styleHash = createHash('sha256').update(PLAIN_PAGE_STYLE).digest('base64');

/**
 * Scripts and styles from our own files only; the one inline style is that of our plain pages, by its hash. The
 * WebSocket's origin is named because not every browser counts it as 'self'.
 */
const contentSecurityPolicy = (host: string | undefined): string => {
  const sockets = host !== undefined && /^[\w.:[\]-]+$/.test(host) ? ` ws://${host} wss://${host}` : '';
  return [...POLICY, `connect-src 'self'${sockets}`].join('; ');
};

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  `style-src 'self' 'sha256-${styleHash}'`,
  "img-src 'self' data:",
  "media-src 'self'",
  "form-action 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
];

/**
 * There is no CORS: other sites have no business here. The referrer policy is not `no-referrer`, under which browsers
 * send `Origin: null` with our own forms (Fetch, section 3.2): they could not be told from those of other sites.
 */
export const securityHeaders = (request: FastifyRequest): Record<string, string> => ({
  'x-request-id': request.id,
  'content-security-policy': contentSecurityPolicy(request.headers.host),
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
});

/** On every response, errors included. */
export function registerSecurityHeaders(app: App): void {
  app.addHook('onRequest', (request, reply, done) => {
    void reply.headers(securityHeaders(request));
    // What is behind the key is about people: no shared or disk cache keeps it.
    if (request.url.startsWith('/v1/')) void reply.header('cache-control', 'no-store');
    done();
  });
}
