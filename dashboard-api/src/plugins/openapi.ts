import swagger from '@fastify/swagger';
import { namedSchemas } from '../schemas/common.ts';
import type { App } from '../types.ts';

/** Collects every route registered after it into an OpenAPI 3.1 document at /openapi.json. */
export async function registerOpenapi(app: App): Promise<void> {
  for (const schema of namedSchemas) app.addSchema(schema);
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Earshot',
        version: '1',
        description:
          'Live transcription of contact-centre calls. Errors are RFC 9457 problem details with a stable code.',
        license: { name: 'MIT', identifier: 'MIT' },
      },
      servers: [{ url: '/' }],
      security: [{ apiKey: [] }, { session: [] }],
      tags: [
        { name: 'calls', description: 'Calls, their transcripts and recordings.' },
        { name: 'vocabulary', description: 'Phrases that recognition prefers.' },
        { name: 'events', description: 'What happened, in order, and what happens now.' },
        { name: 'webhooks', description: 'Events by POST to your address (Standard Webhooks 1.0.0).' },
        { name: 'server', description: 'The server itself.' },
        { name: 'sign-in', description: 'Browsers.' },
      ],
      components: {
        securitySchemes: {
          apiKey: { type: 'http', scheme: 'bearer', description: 'The key in DATA_DIR/api-key, or API_KEY.' },
          session: { type: 'apiKey', in: 'cookie', name: 'earshot_session', description: 'By GET /signin.' },
        },
      },
    },
    refResolver: {
      buildLocalReference: (schema, _base, _fragment, index) =>
        typeof schema['$id'] === 'string' ? schema['$id'] : `Schema${index}`,
    },
  });
  app.get('/openapi.json', { schema: { hide: true } }, () => app.swagger());
}
