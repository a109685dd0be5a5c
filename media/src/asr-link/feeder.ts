import { type FromAsr, monoUsAt, type ToAsr } from '@earshot/contracts';
import type { Connection } from '@earshot/platform';
import type { AudioSource } from '../spool/tape.ts';
import { PRE_ROLL_TICKS } from '../vad/gate.ts';
import { type AsrChannel, BEHIND_TICKS } from './asr-channel.ts';
import { nextStep, pcmOf, type Step } from './step.ts';

/** One second of audio in a message at most. */
const MAX_AUDIO_TICKS = 8000;
/** While nothing is heard, a gap is told four times a second, not ten. */
const MIN_GAP_TICKS = 2000;
/** The bound of this arrow in bytes, over the credit: an engine that does not read gets nothing more. */
export const MAX_BUFFERED_BYTES = 8 * 1024 * 1024;

/** Both are used again for the next message. */
const step: Step = { kind: 'gap', to: 0 };
const samples = new Int16Array(MAX_AUDIO_TICKS);

/** Sends what may be sent of an open channel: audio, gaps, its end. @param budget messages at most @returns those it took */
export function feed(
  channel: AsrChannel,
  connection: Connection<FromAsr, ToAsr> | null,
  budget: number,
): number {
  if (connection === null) return 0;
  let sent = 0;
  while (sent < budget && connection.bufferedBytes < MAX_BUFFERED_BYTES) {
    const source = sourceOf(channel);
    if (source === null || !sendStep(channel, source, connection)) break;
    sent++;
  }
  if (channel.endTick !== null && channel.cursor >= channel.endTick && !channel.endSent) {
    channel.endSent = true;
    const { attempt, endTick } = channel;
    connection.send({ type: 'end', channel: channel.subject.id, attempt, tick: endTick });
  }
  return sent;
}

function sendStep(channel: AsrChannel, source: AudioSource, connection: Connection<FromAsr, ToAsr>): boolean {
  const { subject, attempt, cursor } = channel;
  const limit = Math.min(channel.creditTick, channel.endTick ?? Infinity);
  const final = channel.endTick !== null && source === subject.tape;
  nextStep(source, cursor, limit, MAX_AUDIO_TICKS, final, step);
  const { kind, to } = step;
  if (to <= cursor) return false;
  if (kind === 'gap') {
    const more =
      channel.endTick !== null ||
      channel.sendable > BEHIND_TICKS ||
      to >= channel.creditTick ||
      source.gate.openUntil(to) >= 0;
    if (channel.lastWasGap && to - cursor < MIN_GAP_TICKS && !more) return false;
    connection.send({ type: 'gap', channel: subject.id, attempt, toTick: to });
  } else {
    const arrivalUs = source.blockFrom(to - 1)?.arrivalUs || monoUsAt(subject.zero, to);
    connection.send(
      { type: 'audio', channel: subject.id, attempt, startTick: cursor, arrivalUs: Math.round(arrivalUs) },
      pcmOf(source, cursor, to, samples),
    );
  }
  channel.sentTicks += to - cursor;
  if (kind === 'audio') channel.audioTicks += to - cursor;
  channel.lastWasGap = kind === 'gap';
  channel.cursor = to;
  channel.patience.reset();
  return true;
}

/** The tape, or a window of the files for what is older; null while that is read. */
function sourceOf(channel: AsrChannel): AudioSource | null {
  const { tape } = channel.subject;
  const { window, cursor } = channel;
  if (cursor >= tape.firstTick) {
    channel.window = null;
    return tape;
  }
  if (window !== null && cursor >= window.firstTick && cursor < window.endTick - PRE_ROLL_TICKS) {
    return window;
  }
  if (!channel.loading) void load(channel, cursor, tape.firstTick + 2 * PRE_ROLL_TICKS);
  return null;
}

async function load(channel: AsrChannel, fromTick: number, upToTick: number): Promise<void> {
  channel.loading = true;
  try {
    channel.window = await channel.readWindow(fromTick, upToTick);
  } finally {
    channel.loading = false;
  }
}
