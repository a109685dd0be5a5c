import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { measureModel } from './asr/measure.ts';
import { makeTapes } from './asr/tapes.ts';
import { progress } from './machine.ts';

const SHIPPED_MODEL = fileURLToPath(new URL('../../asr/model', import.meta.url));

const numbers = (list: string): number[] => list.split(',').map(Number);

/**
 * How many channels of unbroken speech a core carries in real time while 95 % of the audio is recognised within the bound, with
 * Earshot's engine and with sherpa-onnx on the same model files; by batch size and by model. bench/README.md says how to
 * read it.
 */
export async function asr(args: string[]): Promise<object> {
  const { values } = parseArgs({
    args,
    options: {
      /** Folders of models, such as one in fp32 and one in int8. */
      model: { type: 'string', multiple: true },
      /** Measured seconds of a trial; 2.5 s of warming up come before. */
      seconds: { type: 'string', default: '8' },
      /** Whole searches of each engine, in turns; medians are reported. */
      rounds: { type: 'string', default: '3' },
      /** Largest batches that are tried by themselves; the last one is the one compared. */
      batches: { type: 'string', default: '1,8,16,32,64' },
      'bound-ms': { type: 'string', default: '700' },
      /** No more channels than this are tried. */
      most: { type: 'string', default: '2048' },
      /** A core that each engine is bound to, with taskset. */
      pin: { type: 'string' },
      peer: { type: 'boolean', default: true },
      gated: { type: 'boolean', default: true },
    },
    allowNegative: true,
  });
  const folder = await mkdtemp(join(tmpdir(), 'es-bench-'));
  try {
    progress('asr: making the speech');
    const tapes = await makeTapes(folder);
    const options = {
      seconds: Number(values.seconds),
      rounds: Math.max(1, Number(values.rounds)),
      batches: numbers(values.batches),
      boundMs: Number(values['bound-ms']),
      most: Number(values.most),
      pin: values.pin === undefined ? null : Number(values.pin),
      peer: values.peer,
      gated: values.gated,
      tapes,
    };
    const models: object[] = [];
    for (const model of values.model ?? [SHIPPED_MODEL]) models.push(await measureModel(model, options));
    return {
      setup: {
        trialSeconds: options.seconds,
        rounds: options.rounds,
        boundMs: options.boundMs,
        pinnedTo: options.pin,
        speech: `${tapes.source}, ${tapes.seconds} s in a loop, mu-law, no silence left out`,
        messages: '100 ms, a fifth of the channels every 20 ms',
      },
      models,
    };
  } finally {
    await rm(folder, { recursive: true });
  }
}
