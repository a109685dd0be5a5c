import { SipEndpoint } from '../endpoint.ts';
import type { Log } from '../log.ts';
import { StreamFramer } from '../parse/framing.ts';
import type { ParseResult } from '../parse/message.ts';
import { parseMessage } from '../parse/parse.ts';
import { tagOf } from '../parse/uri.ts';
import type { Flow } from '../transport/flow.ts';
import { deliver } from '../transport/transports.ts';
import { goodRequest, strayResponse, type FuzzCall } from './messages.ts';
import { mutate } from './mutate.ts';
import { Random } from './random.ts';
import { answerAll, FakeSurroundings, flowFrom, type Answer } from './surroundings.ts';

/** What became of the messages so far. */
export interface FuzzCounts {
  messages: number;
  /** Answers to messages, by class (`2xx`), and those that got none. */
  readonly answers: Record<string, number>;
  /** Messages refused by the parser, by its code. */
  readonly faults: Record<string, number>;
  /** Streams that could not be cut into messages any more. */
  broken: number;
  goodCalls: number;
}

const CALLS = 200;
const SHARES = { unchanged: 0.15, inStream: 0.25, response: 0.05 };
/** Simulated time between two messages is up to this. */
const PAUSE_MS = 12;
/** Longer than any timer of an endpoint: with it, all that messages left behind is gone. */
const SETTLED_MS = 3_600_000;
const UDP = flowFrom('udp', '192.0.2.7', 5060);
const TCP = flowFrom('tcp', '192.0.2.7', 40_000);

const increment = (table: Record<string, number>, key: string): void => {
  table[key] = (table[key] ?? 0) + 1;
};

/**
 * Sends whole and damaged messages, the same ones for the same seed, and checks each: nothing is thrown, what the
 * parser refuses gets the refusal's status, what it takes is never answered as malformed, and calls go on.
 */
export class SipFuzzer {
  readonly counts: FuzzCounts = { messages: 0, answers: {}, faults: {}, broken: 0, goodCalls: 0 };
  readonly #random: Random;
  readonly #surroundings: FakeSurroundings;
  #endpoint: SipEndpoint | undefined;
  readonly #calls: FuzzCall[] = [];
  #framer = new StreamFramer();
  #sent: Buffer[] = [];
  #serial = 0;
  #defect: object | undefined;

  static async start(seed: number): Promise<SipFuzzer> {
    const fuzzer = new SipFuzzer(new Random(seed));
    const ignore = (): void => undefined;
    // The endpoint logs as an error what its last line of defence caught.
    const error = (fields: object, text: string): void => void (fuzzer.#defect = { ...fields, text });
    const log: Log = { debug: ignore, info: ignore, warn: ignore, error };
    fuzzer.#endpoint = await SipEndpoint.between(fuzzer.#surroundings, log);
    return fuzzer;
  }

  private constructor(random: Random) {
    this.#random = random;
    this.#surroundings = new FakeSurroundings(someAnswer(random), (bytes) => void this.#sent.push(bytes));
  }

  get endpoint(): SipEndpoint {
    if (this.#endpoint === undefined) throw new Error('the fuzzer is not started');
    return this.#endpoint;
  }

  /** @throws Error that names what did not hold, and the message */
  run(messages: number): void {
    for (let i = 0; i < messages; i++) this.#one();
  }

  #one(): void {
    const random = this.#random;
    const call = this.#pick();
    const inStream = random.chance(SHARES.inStream);
    const source = random.chance(SHARES.response)
      ? strayResponse(random, call)
      : goodRequest(random, call, inStream ? 'TCP' : 'UDP');
    const text = random.chance(SHARES.unchanged) ? source : mutate(source, random);
    const bytes = Buffer.from(text, 'latin1');
    this.counts.messages++;
    try {
      if (inStream) this.#stream(bytes, call);
      else this.#receive(parseMessage(bytes), UDP, call);
    } catch (error) {
      throw new Error(`message ${this.counts.messages}: ${JSON.stringify(text)}`, { cause: error });
    }
    if (this.#defect !== undefined)
      throw new Error(`message ${this.counts.messages}: ${JSON.stringify(text)}`, { cause: this.#defect });
    this.#surroundings.timers.advance(random.below(PAUSE_MS));
  }

  #stream(bytes: Buffer, call: FuzzCall): void {
    for (let at = 0; at < bytes.length;) {
      const end = at + 1 + this.#random.below(bytes.length);
      for (const event of this.#framer.push(bytes.subarray(at, end))) {
        if (event.kind !== 'ping') this.#receive(event.result, TCP, call);
        if (event.kind === 'broken') {
          this.#framer = new StreamFramer();
          this.counts.broken++;
        }
      }
      at = end;
    }
    // A cut message swallows what follows: peers give such a connection up, too.
    if (this.#framer.partial && this.#random.chance(0.3)) this.#framer = new StreamFramer();
  }

  #receive(result: ParseResult, flow: Flow, call: FuzzCall): void {
    const answers = this.#answersTo(result, flow);
    const [first] = answers;
    if (first === undefined) increment(this.counts.answers, 'none');
    for (const answer of answers) increment(this.counts.answers, `${answer.slice(8, 9)}xx`);
    if (!result.ok) {
      increment(this.counts.faults, result.fault.code);
      const wanted = result.answerable === undefined ? undefined : String(result.fault.sipStatus);
      if (first?.slice(8, 11) !== wanted) throw new Error(`answered ${first?.slice(8, 11)}, not ${wanted}`);
      return;
    }
    if (answers.some((answer) => answer.startsWith('SIP/2.0 400 ')))
      throw new Error('a message that was taken was answered as malformed');
    const ok = answers.find((answer) => answer.startsWith('SIP/2.0 200 ') && answer.includes(' INVITE\r\n'));
    if (ok !== undefined) this.#learn(call, ok);
  }

  /** What goes out while this message is worked on, as byte strings. */
  #answersTo(result: ParseResult, flow: Flow): string[] {
    this.#sent = [];
    deliver(result, flow, this.endpoint);
    this.#surroundings.settle();
    return this.#sent.map((bytes) => bytes.toString('latin1')).filter((text) => text.startsWith('SIP/2.0 '));
  }

  #learn(call: FuzzCall, ok: string): void {
    const parsed = parseMessage(Buffer.from(ok, 'latin1'));
    if (parsed.ok && parsed.message.callId === call.callId) call.toTag = tagOf(parsed.message.to);
  }

  #pick(): FuzzCall {
    const random = this.#random;
    const at = random.below(CALLS);
    const call = this.#calls[at];
    if (call !== undefined && !random.chance(0.05)) return call;
    if (call !== undefined) this.#hangUp(call);
    const fresh = this.#newCall('fuzz');
    this.#calls[at] = fresh;
    return fresh;
  }

  #newCall(kind: string): FuzzCall {
    const serial = ++this.#serial;
    return { callId: `${kind}-${serial}@192.0.2.7`, fromTag: `from${serial}`, toTag: undefined, seq: 0 };
  }

  #hangUp(call: FuzzCall): void {
    if (call.toTag === undefined) return;
    call.seq += 1_000_000;
    this.#answersTo(parseMessage(Buffer.from(goodRequest(this.#random, call, 'UDP', 'BYE'), 'latin1')), UDP);
  }

  /** A call as any other: INVITE, 200, ACK, BYE, 200. @throws Error where one of them fails */
  goodCall(): void {
    const call = this.#newCall('good');
    const send = (method: string): string[] =>
      this.#answersTo(
        parseMessage(Buffer.from(goodRequest(this.#random, call, 'UDP', method), 'latin1')),
        UDP,
      );
    const ok = send('INVITE').find((answer) => answer.startsWith('SIP/2.0 200 '));
    if (ok === undefined) throw new Error('a good INVITE was not answered 200');
    this.#learn(call, ok);
    send('ACK');
    if (!send('BYE').some((answer) => answer.startsWith('SIP/2.0 200 ')))
      throw new Error('a good BYE was not answered 200');
    this.counts.goodCalls++;
    this.#surroundings.timers.advance(this.#random.below(PAUSE_MS));
  }

  /** Ends all calls and lets time pass. @throws Error where something stays behind */
  finish(): void {
    for (const call of this.#calls) if (call !== undefined) this.#hangUp(call);
    this.#surroundings.timers.advance(SETTLED_MS);
    const { liveTransactions, liveDialogs, pendingRequests } = this.endpoint.stats();
    const left = {
      liveTransactions,
      liveDialogs,
      pendingRequests,
      timers: this.#surroundings.timers.pending,
    };
    if (Object.values(left).some((count) => count > 0))
      throw new Error(`left behind: ${JSON.stringify(left)}`);
  }
}

/** An application with moods; good calls are always taken. */
const someAnswer =
  (random: Random): Answer =>
  (method, text) => {
    if (text.includes(': good-')) return answerAll(method, text);
    switch (random.below(20)) {
      case 0:
        return undefined;
      case 1:
        return 'SIP/2.0 486 Busy Here\r\n\r\n';
      case 2:
        return method === 'INVITE' ? 'SIP/2.0 183 Session Progress\r\nRequire: 100rel\r\n\r\n' : undefined;
      default:
        return answerAll(method, text);
    }
  };
