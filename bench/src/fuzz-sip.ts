import { parseArgs } from 'node:util';
import { type Look, runFuzzer } from './fuzz-process.ts';

/** A line of sip-endpoint/fuzz.ts. */
interface Progress extends Look {
  readonly messages: number;
}

/** `fuzz-sip`: whole and damaged SIP messages through a whole endpoint without sockets, in a process of its own. */
export async function fuzzSip(args: string[]): Promise<object> {
  const { values } = parseArgs({
    args,
    options: { messages: { type: 'string', default: '10000000' }, seed: { type: 'string', default: '1' } },
  });
  const { messages, seed } = values;
  const countOf = (look: Progress): number => look.messages;
  const result = await runFuzzer('../../sip-endpoint/fuzz.ts', [messages, seed], 'messages', countOf);
  return { setup: { messages: Number(messages), seed: Number(seed) }, ...result };
}
