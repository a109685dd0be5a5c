import { fileURLToPath } from 'node:url';
import type { ToChild } from '@earshot/contracts';
import type { Log } from '@earshot/platform';
import type { Loan } from './lender.ts';
import { Standby } from './standby.ts';
import { forkOf, type ProcessSpec } from './supervised.ts';
import type { RawHandle } from '@earshot/platform';

/** Which process needs which other first: each tier starts when the one before is ready. */
export const TIERS = [
  ['transcripts'],
  ['asr', 'media', 'dashboard-api', 'post-call', 'sip-endpoint'],
  ['gateway'],
] as const;
/** `shadow` runs while a model is tried on live calls, and is started and ended by the model keeper. */
export type ServiceName = (typeof TIERS)[number][number] | 'shadow';

/** Calls stop coming first, the log of what was said stops last. */
export const STOP_ORDER: readonly ServiceName[] = [
  'shadow',
  'gateway',
  'sip-endpoint',
  'media',
  'asr',
  'transcripts',
  'post-call',
  'dashboard-api',
];

const ENTRIES: Partial<Record<ServiceName, string>> = { shadow: '../../asr/src/shadow/main.ts' };
const MAX_OLD_SPACE_MB: Partial<Record<ServiceName, number>> = { media: 1024, transcripts: 1024 };
/** A media worker holds live sockets whose kernel buffers last about 5 s at 50 packets a second. */
const HUNG_AFTER_MS: Partial<Record<ServiceName, number>> = { media: 2500 };

export interface SpecOptions {
  readonly name: ServiceName;
  readonly instance: number;
  readonly env: NodeJS.ProcessEnv;
  /** Only the first process gets these: a one-time sign-in token must not live again after a crash. */
  readonly firstEnv?: NodeJS.ProcessEnv;
  /** Only its replacements get these. */
  readonly laterEnv?: () => NodeJS.ProcessEnv;
  readonly standby?: Standby;
  readonly lent?: () => readonly { readonly message: ToChild; readonly handle: RawHandle }[];
  readonly told?: () => readonly ToChild[];
}

const entryOf = (name: ServiceName): string =>
  fileURLToPath(new URL(ENTRIES[name] ?? `../../${name}/main.ts`, import.meta.url));

const oldSpaceOf = (name: ServiceName): number => MAX_OLD_SPACE_MB[name] ?? 512;

/** One process of a service that stands by for any of its instances. @param loans what those are lent */
export const standbyOf = (
  name: ServiceName,
  env: NodeJS.ProcessEnv,
  log: Log,
  loans: () => readonly Loan[],
): Standby =>
  new Standby(
    () => forkOf({ entry: entryOf(name), maxOldSpaceMb: oldSpaceOf(name) }, { ...env, EARSHOT_STANDBY: '1' }),
    log,
    loans,
  );

export function specOf(options: SpecOptions): ProcessSpec {
  const { name, instance } = options;
  return {
    label: `${name}-${instance}`,
    entry: entryOf(name),
    instance,
    ...(options.standby === undefined ? {} : { standby: options.standby }),
    env: (start) => ({
      ...options.env,
      EARSHOT_INSTANCE: String(instance),
      EARSHOT_STANDBY: '0',
      ...(start === 0 ? options.firstEnv : options.laterEnv?.()),
    }),
    maxOldSpaceMb: oldSpaceOf(name),
    hungAfterMs: HUNG_AFTER_MS[name] ?? 15_000,
    readyWithinMs: 60_000,
    lent: options.lent ?? (() => []),
    ...(options.told === undefined ? {} : { told: options.told }),
  };
}
