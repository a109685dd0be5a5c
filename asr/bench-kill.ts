/**
 * What the death of an engine costs: `node asr/bench-kill.ts [--share 0.8] [--before 15] [--after 40] [--by replace|standby]`
 * prints one JSON object.
 *
 * Channels that speak without a break take the share of the engine's capacity (as it measured it at its start); it is killed with
 * SIGKILL, and its channels are opened again from their committed ticks on a new engine in its place, or on one that stood by.
 * Afterwards each channel's words are compared with those of an undisturbed run of the same audio.
 */
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { killAndRecover } from './test/support/recovery.ts';
import { speechTape } from './test/support/speech.ts';

const { values } = parseArgs({
  options: {
    share: { type: 'string', default: '0.8' },
    /** Instead of a share. */
    channels: { type: 'string' },
    before: { type: 'string', default: '15' },
    after: { type: 'string', default: '40' },
    by: { type: 'string', default: 'replace' },
  },
});
const result = await killAndRecover({
  channels: values.channels === undefined ? { capacityShare: Number(values.share) } : Number(values.channels),
  tape: speechTape(),
  secondsBefore: Number(values.before),
  secondsAfter: Number(values.after),
  by: values.by === 'standby' ? 'standby' : 'replace',
});
console.log(
  JSON.stringify({
    bench: 'asr-kill',
    setup: {
      cpu: cpus()[0]?.model.trim() ?? 'unknown',
      cores: cpus().length,
      node: process.version,
      by: values.by,
      audio: 'sentences without silence left out',
    },
    result,
  }),
);
