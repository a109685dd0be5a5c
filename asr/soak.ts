/**
 * Whether the engine's memory stays as it is: `node asr/soak.ts [--channels 200] [--minutes 60] [--samples 40]` prints one JSON
 * object.
 *
 * Conversations (whole sentences, gaps between them told as gaps, a call of some six minutes after another) on many channels
 * at once, faster than real time: as fast as the engine takes them. Memory is that of the engine's process.
 */
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { soak } from './test/support/soak.ts';

const { values } = parseArgs({
  options: {
    channels: { type: 'string', default: '200' },
    minutes: { type: 'string', default: '60' },
    samples: { type: 'string', default: '40' },
  },
});
const options = {
  channels: Number(values.channels),
  minutes: Number(values.minutes),
  samples: Number(values.samples),
};
const result = await soak({
  ...options,
  callSeconds: 240,
  onSample: (sample) => console.error(JSON.stringify(sample)),
});
console.log(
  JSON.stringify({
    bench: 'asr-soak',
    setup: {
      ...options,
      cpu: cpus()[0]?.model.trim() ?? 'unknown',
      cores: cpus().length,
      node: process.version,
    },
    ...result,
  }),
);
