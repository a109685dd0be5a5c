import net from 'node:net';
import { parseArgs } from 'node:util';
import type { G711Codec } from './audio.ts';
import type { FleetOptions } from './fleet.ts';
import type { HostPort, TransportName } from './sip-transport.ts';

/** A command line that cannot be followed; the message says which option and what it takes. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export interface CommandLineDefaults {
  calls: number;
  /** Seconds over which the calls begin, as a function of how many there are. */
  rampS: (calls: number) => number;
}

type Environment = Record<string, string | undefined>;

export const optionHelp = `  --calls N            how many calls
  --to HOST:PORT       where to call (default 127.0.0.1:5060, or SIP_BIND and SIP_PORT if they are set)
  --transport udp|tcp  default udp
  --codec pcmu|pcma    default pcmu
  --seconds S          how long each call speaks; the dialogue begins again when it ends (default: once through)
  --ramp S             begin the calls spread over S seconds
  --kind siprec|plain  SIPREC with a stream for each party, or a plain call with one mixed stream
  --timeout S          give up a call without any answer after S seconds (default 10)
  --loss P, --reorder P, --duplicate P
                       let this share of the packets (0 to 1) go wrong; --seed N chooses which (default 1)
  --no-rtcp            send no sender reports`;

/** The options that demo caller and load generator share; `undefined` when help is asked for. */
export function parseFleetOptions(
  args: string[],
  environment: Environment,
  defaults: CommandLineDefaults,
): FleetOptions | undefined {
  const values = readArguments(args);
  if (values.help) return undefined;
  const calls = numberOption('--calls', values.calls, defaults.calls, { integer: true, min: 1, max: 5000 });
  const rate = (name: 'loss' | 'reorder' | 'duplicate') =>
    numberOption(`--${name}`, values[name], 0, { min: 0, max: 1 });
  const impairment = {
    lossRate: rate('loss'),
    reorderRate: rate('reorder'),
    duplicateRate: rate('duplicate'),
    seed: numberOption('--seed', values.seed, 1, { integer: true, min: 0, max: 2 ** 31 }),
  };
  const impaired = impairment.lossRate + impairment.reorderRate + impairment.duplicateRate > 0;
  return {
    calls,
    server: parseServer(values.to, environment),
    transport: choice<TransportName>('--transport', values.transport, ['udp', 'tcp']),
    codec: choice<G711Codec>('--codec', values.codec, ['pcmu', 'pcma']),
    kind: choice<'siprec' | 'plain'>('--kind', values.kind, ['siprec', 'plain']),
    rampS: numberOption('--ramp', values.ramp, defaults.rampS(calls), { min: 0, max: 86_400 }),
    timeoutMs: 1000 * numberOption('--timeout', values.timeout, 10, { min: 0.1, max: 3600 }),
    rtcp: values['no-rtcp'] !== true,
    ...(values.seconds !== undefined && {
      seconds: numberOption('--seconds', values.seconds, 0, { min: 0.02, max: 100 * 86_400 }),
    }),
    ...(impaired && { impairment }),
  };
}

function readArguments(args: string[]) {
  const text = { type: 'string' } as const;
  try {
    return parseArgs({
      args,
      allowPositionals: false,
      options: {
        calls: text,
        to: text,
        transport: text,
        codec: text,
        kind: text,
        seconds: text,
        ramp: text,
        timeout: text,
        loss: text,
        reorder: text,
        duplicate: text,
        seed: text,
        'no-rtcp': { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (error) {
    throw new UsageError(`${(error as Error).message} Try --help.`, { cause: error });
  }
}

function numberOption(
  name: string,
  text: string | undefined,
  fallback: number,
  range: { min: number; max: number; integer?: boolean },
): number {
  if (text === undefined) return fallback;
  const value = Number(text);
  const wrong = text.trim() === '' || Number.isNaN(value) || value < range.min || value > range.max;
  if (wrong || (range.integer && !Number.isInteger(value))) {
    const kind = range.integer ? 'a whole number' : 'a number';
    throw new UsageError(`${name} takes ${kind} from ${range.min} to ${range.max}, not "${text}".`);
  }
  return value;
}

function choice<Choice extends string>(
  name: string,
  text: string | undefined,
  choices: [Choice, ...Choice[]],
): Choice {
  if (text === undefined) return choices[0];
  const found = choices.find((candidate) => candidate === text.toLowerCase());
  if (found === undefined) throw new UsageError(`${name} takes ${choices.join(' or ')}, not "${text}".`);
  return found;
}

/** `HOST`, `HOST:PORT` or `[IPv6]:PORT`; a wildcard bind is reached by loopback. */
export function parseServer(text: string | undefined, environment: Environment): HostPort {
  const bind = environment.SIP_BIND || environment.BIND || '127.0.0.1';
  const fallback = {
    host: bind === '0.0.0.0' ? '127.0.0.1' : bind === '::' ? '::1' : bind,
    port: numberOption('SIP_PORT', environment.SIP_PORT || undefined, 5060, {
      integer: true,
      min: 1,
      max: 65_535,
    }),
  };
  if (text === undefined) return fallback;
  if (net.isIPv6(text)) return { host: text, port: fallback.port };
  const match = /^(?:\[([^\]]+)\]|([^:[\]\s]+))(?::(\d+))?$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  if (host === undefined) throw new UsageError(`--to takes HOST:PORT, not "${text}".`);
  return {
    host,
    port: numberOption('The port of --to', match?.[3], fallback.port, { integer: true, min: 1, max: 65_535 }),
  };
}
