import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { EarshotProcess } from '../../sip-tests/src/earshot-process.ts';
import type { GeneratorReport } from '../../sip-tests/src/generator.ts';

const SETTLE_LIMIT_MS = 60_000;

export interface Load {
  readonly calls: string;
  readonly seconds: string;
  readonly ramp: string;
  readonly transport: string;
}

/** Calls of sip-tests' generator in a process of its own, until they are over. */
export async function generate(earshot: EarshotProcess, load: Load): Promise<GeneratorReport> {
  const program = fileURLToPath(new URL('../../sip-tests/generator.ts', import.meta.url));
  const argv = [
    '--disable-warning=ExperimentalWarning',
    program,
    '--to',
    `${earshot.sip.host}:${earshot.sip.port}`,
    '--calls',
    load.calls,
    '--seconds',
    load.seconds,
    '--ramp',
    load.ramp,
    '--transport',
    load.transport,
  ];
  try {
    const { stdout } = await promisify(execFile)(process.execPath, argv, { maxBuffer: 1 << 26 });
    return JSON.parse(stdout) as GeneratorReport;
  } catch (error) {
    // It ends with 1 when a call failed, and says which in its report all the same.
    const { stdout } = error as { stdout?: string };
    if (stdout === undefined || stdout === '') throw error;
    return JSON.parse(stdout) as GeneratorReport;
  }
}

export interface EndedCall {
  readonly id: string;
  readonly complete: boolean;
  readonly sip: { readonly callId: string };
  readonly channels: readonly {
    readonly packetsReceived: number | null;
    readonly packetsLost: number | null;
  }[];
}

export async function endedCalls(earshot: EarshotProcess): Promise<EndedCall[]> {
  const items: EndedCall[] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const query: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const page: { items: EndedCall[]; nextCursor: string | null } = await earshot.get(
      `/v1/calls?state=ended&limit=100${query}`,
    );
    items.push(...page.items);
    cursor = page.nextCursor;
  }
  return items;
}

/** Waits until so many calls are complete. @returns how many are */
export async function settled(
  earshot: EarshotProcess,
  answered: number,
  limitMs = SETTLE_LIMIT_MS,
): Promise<number> {
  const limit = performance.now() + limitMs;
  for (;;) {
    const complete = (await endedCalls(earshot)).filter((call) => call.complete).length;
    if (complete >= answered || performance.now() > limit) return complete;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}
