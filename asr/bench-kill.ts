/**
 * What the death of an engine costs: `node asr/bench-kill.ts [--share 0.8] [--before 15] [--after 40] [--by replace|standby]
 * [--gated] [--how kill|drain] [--seconds]` prints one JSON object.
 *
 * Channels whose speech takes the share of the engine's capacity (as it measured it at its start) are fed by the media worker's own
 * link; the engine is killed with SIGKILL (or drained, as for another model), and they go on from their committed ticks on an
 * engine that stood by, and on the one that is started in its place. Then each channel's words are compared with those of an
 * undisturbed run of the same audio. Without `--gated` they speak without a break; with it half of each is silence, which
 * is left out as in calls. `--seconds` writes the lag of each second to standard error.
 */
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { killAndRecover } from './test/support/recovery.ts';
import { conversationTape, speechTape } from './test/support/speech.ts';

const { values } = parseArgs({
  options: {
    share: { type: 'string', default: '0.8' },
    /** Instead of a share. */
    channels: { type: 'string' },
    before: { type: 'string', default: '15' },
    after: { type: 'string', default: '40' },
    by: { type: 'string', default: 'standby' },
    how: { type: 'string', default: 'kill' },
    gated: { type: 'boolean', default: false },
    seconds: { type: 'boolean', default: false },
  },
});
const by = values.by === 'standby' ? 'standby' : 'replace';
const how = values.how === 'drain' ? 'drain' : 'kill';
const result = await killAndRecover({
  channels: values.channels === undefined ? { capacityShare: Number(values.share) } : Number(values.channels),
  tape: values.gated ? conversationTape() : speechTape(),
  gated: values.gated,
  secondsBefore: Number(values.before),
  secondsAfter: Number(values.after),
  by,
  how,
  ...(values.seconds ? { onSecond: (second) => console.error(JSON.stringify(second)) } : {}),
});
console.log(
  JSON.stringify({
    bench: 'asr-kill',
    setup: {
      cpu: cpus()[0]?.model.trim() ?? 'unknown',
      cores: cpus().length,
      node: process.version,
      by,
      how,
      audio: values.gated ? 'conversations, silence left out' : 'sentences without silence left out',
    },
    result,
  }),
);
