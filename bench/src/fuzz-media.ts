import { parseArgs } from 'node:util';
import { type Look, runFuzzer } from './fuzz-process.ts';

/** A line of media/fuzz.ts. */
interface Progress extends Look {
  readonly packets: number;
}

/** `fuzz-media`: random and damaged RTP, RTCP and SRTP through whole channels and every decoder, in a process of its own. */
export async function fuzzMedia(args: string[]): Promise<object> {
  const { values } = parseArgs({
    args,
    options: { packets: { type: 'string', default: '10000000' }, seed: { type: 'string', default: '1' } },
  });
  const { packets, seed } = values;
  const countOf = (look: Progress): number => look.packets;
  const result = await runFuzzer('../../media/fuzz.ts', [packets, seed], 'packets', countOf);
  return { setup: { packets: Number(packets), seed: Number(seed) }, ...result };
}
