import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { ProcessMetrics } from '@earshot/contracts';
import type { Log, Registry } from '@earshot/platform';
import type {
  FastifyBaseLogger,
  FastifyInstance,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify';
import type { Commands } from './commands.ts';
import type { SigninTokens } from './auth/signin-tokens.ts';
import type { LiveHub } from './live/hub.ts';
import type { Database } from './queries/database.ts';

/** The Fastify application, with handlers typed by their TypeBox schemas. */
export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

/** Whether the node takes new calls; host has the say. */
export interface AdmissionSwitch {
  readonly open: () => boolean;
  /** @returns false where there is no host to ask */
  readonly set: (open: boolean) => boolean;
}

/** Everything the application works with. No globals, no environment, no clock of its own. */
export interface Dependencies {
  readonly db: Database;
  /** To transcripts. */
  readonly commands: Commands;
  readonly log: Log;
  readonly registry: Registry;
  readonly hub: LiveHub;
  /** Whether transcripts is connected to the live bus. */
  readonly busConnected: () => boolean;
  readonly metrics: () => Promise<readonly ProcessMetrics[]>;
  readonly apiKey: string;
  readonly sessionSecret: string;
  readonly signinTokens: SigninTokens;
  readonly publicUrl: string | null;
  /** Where browsers reach us, without a slash at the end. Known once the server listens. */
  readonly baseUrl: () => string;
  /** HTTP listens on loopback only: webhooks may then go to this machine. */
  readonly loopbackOnly: boolean;
  readonly maxCalls: number | null;
  readonly admission: AdmissionSwitch;
  /** Where our own SIP endpoint listens, if it runs. */
  readonly sip: { readonly host: string; readonly port: number };
  /** DATA_DIR/recordings. */
  readonly recordingsDir: string;
  /** The built page. */
  readonly pageDir: string;
  /** Wall clock, ms since 1970. */
  readonly now: () => number;
}
