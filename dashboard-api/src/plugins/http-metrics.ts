import { Histogram, type Registry } from '@earshot/platform';
import type { App } from '../types.ts';

/** Times every response by route pattern (never by path: ids would make a series each). */
export function registerHttpMetrics(app: App, registry: Registry): void {
  const seconds = new Histogram({
    name: 'earshot_http_request_seconds',
    help: 'HTTP requests by route, method and status. Streams count until they end.',
    labelNames: ['route', 'method', 'status'],
    buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
    registers: [registry],
  });
  app.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'unknown';
    seconds.observe(
      { route, method: request.method, status: String(reply.statusCode) },
      reply.elapsedTime / 1000,
    );
    done();
  });
}
