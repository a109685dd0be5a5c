import { createLog, createPool, createRegistry } from '@earshot/platform';
import { buildApp } from './app.ts';
import { SigninTokens } from './auth/signin-tokens.ts';
import { LiveHub } from './live/hub.ts';
import { Database } from './queries/database.ts';

/** The document that /openapi.json serves, without a server: for docs/openapi.json. Nothing is connected or written. */
export async function openapiDocument(): Promise<object> {
  const log = createLog('openapi', 'silent');
  const registry = createRegistry('openapi');
  // Neither connects before it is asked for something, and nobody asks.
  const db = new Database(createPool('postgresql://127.0.0.1/none', log));
  const app = await buildApp({
    db,
    commands: { send: () => Promise.resolve() },
    log,
    registry,
    hub: new LiveHub(db, log, registry, Date.now),
    busConnected: () => false,
    metrics: () => Promise.resolve([]),
    apiKey: '',
    sessionSecret: '',
    signinTokens: new SigninTokens(''),
    publicUrl: null,
    baseUrl: () => '',
    loopbackOnly: true,
    maxCalls: null,
    admission: { open: () => true, set: () => false },
    sip: { host: '', port: 0 },
    recordingsDir: '',
    pageDir: '',
    now: Date.now,
  });
  const document = app.swagger();
  await app.close();
  return document;
}
