import type { G711Codec } from './audio.ts';
import { type CallResult, DemoCall } from './call.ts';
import { type Dialogue, loadDialogues } from './dialogue.ts';
import type { Impairment } from './impairment.ts';
import { RtpPacer } from './rtp-sender.ts';
import { SipClient } from './sip-client.ts';
import type { HostPort, TransportName } from './sip-transport.ts';

export interface FleetOptions {
  calls: number;
  server: HostPort;
  transport: TransportName;
  codec: G711Codec;
  kind?: 'siprec' | 'plain';
  /** How long each call speaks; default once through its dialogue. */
  seconds?: number;
  /** The calls begin evenly spread over this time; 0 is all at once. */
  rampS: number;
  /** No answer to an INVITE for this long is a failure. */
  timeoutMs?: number;
  rtcp?: boolean;
  impairment?: Impairment;
  dialogues?: Dialogue[];
}

export interface FleetProgress {
  waiting: number;
  setup: number;
  live: number;
  ended: number;
  failed: number;
  packetsSent: number;
  secondsLeft: number;
}

/** Many calls with different dialogues through one SIP socket and one pacing timer. */
export class CallFleet {
  readonly #client: SipClient;
  readonly #options: FleetOptions;
  readonly #pacer = new RtpPacer();
  readonly #calls: DemoCall[] = [];
  readonly #dialogues: Dialogue[];
  readonly #stopping = new AbortController();
  #startedMs = 0;

  private constructor(client: SipClient, options: FleetOptions) {
    this.#client = client;
    this.#options = options;
    this.#dialogues = options.dialogues ?? loadDialogues();
  }

  static async open(options: FleetOptions): Promise<CallFleet> {
    const { server, transport, timeoutMs } = options;
    const client = await SipClient.open({ server, transport, ...(timeoutMs !== undefined && { timeoutMs }) });
    return new CallFleet(client, options);
  }

  /** The most by which the pacing timer was late, in milliseconds. */
  get latestTickMs(): number {
    return this.#pacer.latestTickMs;
  }

  /** Makes all calls; resolves when the last is over. */
  async run(): Promise<CallResult[]> {
    const { calls, rampS } = this.#options;
    this.#startedMs = performance.now();
    for (let i = 0; i < calls; i += 1) this.#calls.push(this.#newCall(i));
    const spacingMs = (rampS * 1000) / Math.max(1, calls);
    const results = this.#calls.map(async (call, i) => {
      await waitUntil(this.#startedMs + i * spacingMs, this.#stopping.signal);
      return this.#stopping.signal.aborted ? undefined : call.run();
    });
    return (await Promise.all(results)).filter((result) => result !== undefined);
  }

  /** Ends every call well and starts no more. */
  stop(): void {
    this.#stopping.abort();
    for (const call of this.#calls) call.hangUp();
  }

  async close(): Promise<void> {
    this.#pacer.stop();
    await this.#client.close();
  }

  progress(): FleetProgress {
    const count = (state: DemoCall['state']) => this.#calls.filter((call) => call.state === state).length;
    const { rampS, calls, seconds } = this.#options;
    const longestMs = Math.max(...this.#dialogues.map((dialogue) => dialogue.durationMs));
    const lastStartMs = (rampS * 1000 * (calls - 1)) / Math.max(1, calls);
    const endMs = this.#startedMs + lastStartMs + (seconds === undefined ? longestMs : seconds * 1000);
    return {
      waiting: count('waiting'),
      setup: count('inviting'),
      live: count('live'),
      ended: count('ended'),
      failed: count('failed'),
      packetsSent: this.#calls.reduce((sum, call) => sum + call.packetsSent, 0),
      secondsLeft: Math.max(0, Math.ceil((endMs - performance.now()) / 1000)),
    };
  }

  #newCall(index: number): DemoCall {
    const dialogue = this.#dialogues[index % this.#dialogues.length];
    if (dialogue === undefined) throw new Error('There are no dialogues: run voices/make.mjs');
    const { codec, kind, seconds, rtcp, impairment } = this.#options;
    return new DemoCall({
      client: this.#client,
      pacer: this.#pacer,
      dialogue,
      codec,
      ...(kind !== undefined && { kind }),
      ...(seconds !== undefined && { seconds }),
      ...(rtcp !== undefined && { rtcp }),
      ...(impairment && { impairment: { ...impairment, seed: impairment.seed + index * 2 } }),
    });
  }
}

/** Waits until `performance.now()` is `timeMs`, or at once when the signal is given. */
function waitUntil(timeMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const finish = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', finish);
      resolve();
    };
    const timer = setTimeout(finish, Math.max(0, timeMs - performance.now()));
    signal.addEventListener('abort', finish);
    if (signal.aborted) finish();
  });
}

/** The value below which this share (0 to 1) of the numbers lies, by nearest rank; NaN for none. */
export function percentile(numbers: number[], share: number): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN;
}
