import type { CallResult } from './call.ts';
import { CallFleet, type FleetOptions, type FleetProgress, percentile } from './fleet.ts';
import { optionHelp, parseFleetOptions, UsageError } from './options.ts';
import type { SipFailure } from './sip-transaction.ts';

export const demoHelp = `Calls a running Earshot with real SIPREC calls of two people speaking, in real time.

  npm run demo -- --calls 5

${optionHelp}

The exit code is 0 when every call went well, 1 when a call failed, 2 for a wrong option.
Ctrl-C ends all calls properly; a second one ends at once.
`;

/** Where the demo caller prints and how it is interrupted: a terminal, or a test. */
export interface Surroundings {
  environment: Record<string, string | undefined>;
  /** Lines can be rewritten in place. */
  isTerminal: boolean;
  print: (text: string) => void;
  printError: (text: string) => void;
  /** Calls back on Ctrl-C; returns what undoes it. */
  onInterrupt: (callback: () => void) => () => void;
}

/** The demo caller; resolves with the exit code. */
export async function runDemo(args: string[], surroundings: Surroundings): Promise<number> {
  let options: FleetOptions | undefined;
  try {
    options = parseFleetOptions(args, surroundings.environment, {
      calls: 3,
      // A little apart, as callers are: 50 ms each, at most 5 s altogether.
      rampS: (calls) => Math.min(5, (calls - 1) * 0.05),
    });
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    surroundings.printError(`${error.message}\n`);
    return 2;
  }
  if (options === undefined) {
    surroundings.print(demoHelp);
    return 0;
  }
  return callAndReport(options, surroundings);
}

async function callAndReport(options: FleetOptions, surroundings: Surroundings): Promise<number> {
  const { server, transport, calls } = options;
  const where = `${server.host}:${server.port}`;
  let fleet: CallFleet;
  try {
    fleet = await CallFleet.open(options);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    surroundings.printError(`Cannot reach ${where} over ${transport.toUpperCase()}: ${code ?? message}.\n`);
    return 1;
  }
  surroundings.print(`Calling ${where} over ${transport.toUpperCase()} with ${countOf(calls, 'call')}.\n`);
  const stopWatching = surroundings.onInterrupt(() => {
    surroundings.printError('\nEnding all calls (BYE).\n');
    fleet.stop();
  });
  const stopShowing = showProgress(fleet, surroundings);
  try {
    const results = await fleet.run();
    stopShowing();
    surroundings.print(summary(results, fleet.progress()));
    const failures = results.flatMap(({ failure }) => failure ?? []);
    if (failures.length > 0) surroundings.printError(failureReport(failures, where));
    return failures.length === 0 ? 0 : 1;
  } finally {
    stopShowing();
    stopWatching();
    await fleet.close();
  }
}

/** Once a second in place on a terminal, otherwise a line every 5 s. */
function showProgress(fleet: CallFleet, { isTerminal, print }: Surroundings): () => void {
  let shown = false;
  const timer = setInterval(
    () => {
      const line = progressLine(fleet.progress());
      // ESC [ K: the rest of a longer line before goes away.
      print(isTerminal ? `\r${line}\x1b[K` : `${line}\n`);
      shown = true;
    },
    isTerminal ? 1000 : 5000,
  );
  return () => {
    clearInterval(timer);
    if (shown && isTerminal) print('\n');
    shown = false;
  };
}

export function progressLine(progress: FleetProgress): string {
  const { waiting, setup, live, ended, failed, packetsSent, secondsLeft } = progress;
  const toCome = waiting + setup;
  return [
    `${live} live`,
    ...(toCome > 0 ? [`${toCome} to come`] : []),
    `${ended} ended`,
    `${failed} failed`,
    `${packetsSent.toLocaleString('en')} packets sent`,
    `${secondsLeft} s left`,
  ].join(' · ');
}

export function summary(results: CallResult[], { packetsSent }: FleetProgress): string {
  const setups = results.flatMap(({ setupMs }) => setupMs ?? []);
  const failed = results.filter(({ failure }) => failure !== undefined).length;
  const timing =
    setups.length === 0
      ? ''
      : ` Set-up (INVITE to 200): p50 ${percentile(setups, 0.5).toFixed(0)} ms, max ${Math.max(...setups).toFixed(0)} ms.`;
  return (
    `${countOf(results.length, 'call')}: ${results.length - failed} went well, ${failed} failed, ` +
    `${packetsSent.toLocaleString('en')} packets sent.${timing}\n`
  );
}

/** The failures, alike ones together, each with what can be done. */
export function failureReport(failures: SipFailure[], where: string): string {
  const groups = Map.groupBy(failures, ({ code, status, message }) => `${code} ${status ?? message}`);
  return [...groups.values()]
    .map((group) => {
      const first = group[0];
      return first === undefined
        ? ''
        : `  ${countOf(group.length, 'call')}: ${first.message}. ${advice(first, where)}\n`;
    })
    .join('');
}

function advice(failure: SipFailure, where: string): string {
  switch (failure.code) {
    case 'unreachable':
      return 'Is Earshot running? npm start';
    case 'timeout':
      return `Is that Earshot's SIP address (${where})? It is in the line that npm start prints.`;
    case 'rejected':
      return statusAdvice(failure);
    case 'bad-answer':
      return 'Earshot must accept every stream of a recording: see its log.';
    case 'hung-up':
      return "Earshot ended the call before its time: see the call's end reason on the page.";
    case 'cancelled':
    case 'closed':
      return '';
  }
}

function statusAdvice({ status, retryAfterS }: SipFailure): string {
  switch (status) {
    case 403:
      return 'SIP_ALLOW does not list our address.';
    case 488:
      return 'Earshot takes none of the codecs that were offered.';
    case 503: {
      const when = retryAfterS === undefined ? 'later' : `in ${retryAfterS} s`;
      return `Earshot has no room for more calls (MAX_CALLS or measured capacity): try ${when} or with fewer calls.`;
    }
    default:
      return 'See the log of Earshot.';
  }
}

function countOf(count: number, noun: string): string {
  return `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`;
}
