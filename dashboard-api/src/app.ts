import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import cookie from '@fastify/cookie';
import fastifyStatic from '@fastify/static';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import websocket from '@fastify/websocket';
import Fastify, { type FastifyBaseLogger, LogController } from 'fastify';
import { Guard } from './plugins/auth.ts';
import { registerHttpMetrics } from './plugins/http-metrics.ts';
import { registerOpenapi } from './plugins/openapi.ts';
import { refuseBrokenUrl, registerProblems } from './plugins/problems.ts';
import { registerSecurityHeaders } from './plugins/security-headers.ts';
import { registerCalls } from './routes/calls.ts';
import { registerCapacity } from './routes/capacity.ts';
import { registerDrain } from './routes/drain.ts';
import { registerCorrections } from './routes/corrections.ts';
import { registerDiagnosis } from './routes/diagnosis.ts';
import { registerEvents } from './routes/events.ts';
import { registerHealth } from './routes/health.ts';
import { registerLedger } from './routes/ledger.ts';
import { registerLive, websocketOptions } from './routes/live.ts';
import { registerPage } from './routes/page.ts';
import { registerPauses } from './routes/pauses.ts';
import { registerRecording } from './routes/recording.ts';
import { registerRetranscriptions } from './routes/retranscriptions.ts';
import { registerSignin } from './routes/signin.ts';
import { registerTrace } from './routes/trace.ts';
import { registerTranscripts } from './routes/transcripts.ts';
import { registerVocabulary } from './routes/vocabulary.ts';
import { registerWebhooks } from './routes/webhooks.ts';
import type { App, Dependencies } from './types.ts';

const BODY_LIMIT_BYTES = 64 * 1024;
/** To receive a whole request, headers and body; how long an answer takes is bounded by the database's time-out. */
const REQUEST_TIMEOUT_MS = 30_000;
const KEEP_ALIVE_MS = 65_000;

/** Builds the application. It does not listen, and starts nothing that would need an end of its own. */
export async function buildApp(deps: Dependencies): Promise<App> {
  const logger: FastifyBaseLogger = deps.log;
  const app: App = Fastify({
    loggerInstance: logger,
    // A request line may name a person (?q=): what is logged is the route.
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: () => randomUUID(),
    bodyLimit: BODY_LIMIT_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    forceCloseConnections: true,
    frameworkErrors: refuseBrokenUrl,
    ajv: { customOptions: { allErrors: true, removeAdditional: false } },
  }).withTypeProvider<TypeBoxTypeProvider>();

  registerSecurityHeaders(app);
  registerProblems(app);
  registerHttpMetrics(app, deps.registry);
  await app.register(cookie);
  await app.register(websocket, websocketOptions);
  await app.register(fastifyStatic, { root: tmpdir(), serve: false });
  await registerOpenapi(app);

  const guard = new Guard(deps);
  registerHealth(app, deps);
  registerSignin(app, deps, guard);
  registerPage(app, deps, guard);
  await app.register(async (v1: App) => {
    v1.addHook('onRequest', guard.hook);
    registerCalls(v1, deps);
    registerTranscripts(v1, deps);
    registerLedger(v1, deps);
    registerTrace(v1, deps);
    registerDiagnosis(v1, deps);
    registerPauses(v1, deps);
    registerCorrections(v1, deps);
    registerRecording(v1, deps);
    registerRetranscriptions(v1, deps);
    registerVocabulary(v1, deps);
    registerEvents(v1, deps, guard);
    registerLive(v1, deps, guard);
    registerWebhooks(v1, deps);
    registerCapacity(v1, deps);
    registerDrain(v1, deps);
  });
  await app.ready();
  return app;
}
