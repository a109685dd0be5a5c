import type { ChannelId, FromEngine, Word } from '@earshot/contracts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Rig, channelNamed, startRig } from '../support/rig.ts';
import { canSpeak, concatenate, silence, speak } from '../support/speech.ts';
import { expectRulesKept } from '../support/stream-rules.ts';
import { wordErrors } from '../support/word-errors.ts';

/** What a media worker would send: audio, and a gap where it heard nothing for long. */
type Part =
  | { readonly kind: 'audio'; readonly fromTick: number; readonly pcm: Int16Array }
  | { readonly kind: 'gap'; readonly toTick: number };

const WARM_UP_TICKS = 32_000;

function timeline(parts: readonly (Int16Array | number)[]): Part[] {
  const out: Part[] = [];
  let tick = 0;
  for (const part of parts) {
    if (typeof part === 'number') {
      tick += part;
      out.push({ kind: 'gap', toTick: tick });
    } else {
      out.push({ kind: 'audio', fromTick: tick, pcm: part });
      tick += part.length;
    }
  }
  return out;
}

/** The parts from a tick on, as a replay from the spool has them. */
function after(parts: readonly Part[], fromTick: number): Part[] {
  return parts.flatMap((part): Part[] => {
    if (part.kind === 'gap') return part.toTick > fromTick ? [part] : [];
    const skip = Math.max(0, fromTick - part.fromTick);
    if (skip >= part.pcm.length) return [];
    return [{ kind: 'audio', fromTick: part.fromTick + skip, pcm: part.pcm.subarray(skip) }];
  });
}

/** As media does it: from the last gap on, for the state was cleared there, or 4 s before the tick. */
function warmUpFrom(parts: readonly Part[], tick: number): number {
  let [at, from] = [0, Math.max(0, tick - WARM_UP_TICKS)];
  for (const part of parts) {
    const to = part.kind === 'gap' ? part.toTick : part.fromTick + part.pcm.length;
    if (part.kind === 'gap' && at < tick) from = Math.max(from, Math.min(to, tick));
    at = to;
  }
  return from;
}

/** The committed tick after each message that moves it, with the finals that are committed by then. */
function commits(messages: readonly FromEngine[], channel: ChannelId): { tick: number; words: Word[] }[] {
  const out: { tick: number; words: Word[] }[] = [{ tick: 0, words: [] }];
  for (const message of messages) {
    if (message.type === 'hello' || message.channel !== channel) continue;
    const last = out.at(-1)!;
    if (message.type === 'final')
      out.push({ tick: message.toTick, words: [...last.words, ...message.words] });
    if (message.type === 'progress' && message.settledTick > last.tick) {
      out.push({ tick: message.settledTick, words: last.words });
    }
  }
  return out;
}

/**
 * The same words at the same times: none is lost, none is there twice, and none is understood differently: the replay
 * begins before all that the network remembers (docs/adr/0010-exact-replay.md).
 */
function expectSameWords(words: readonly Word[], reference: readonly Word[]): void {
  const texts = (list: readonly Word[]): string[] => list.map(({ text }) => text);
  expect(words.length, texts(words).join(' ')).toBe(reference.length);
  for (const [i, word] of words.entries()) {
    expect(Math.abs(word.startTick - reference[i]!.startTick), word.text).toBeLessThanOrEqual(1600);
  }
  expect(wordErrors(texts(reference), texts(words))).toBe(0);
}

describe.skipIf(!canSpeak)('replay (needs flite)', () => {
  let first: Rig;
  let second: Rig;
  const outputFrom = new Map<string, number>();
  beforeAll(async () => {
    [first, second] = await Promise.all([startRig(), startRig()]);
  });
  afterAll(() => Promise.all([first.stop(), second.stop()]));

  async function play(
    rig: Rig,
    channel: ChannelId,
    parts: readonly Part[],
    fromTick: number,
    outputFromTick: number,
  ): Promise<void> {
    rig.media.open(channel, fromTick, outputFromTick, 1, fromTick === 0 ? 'live' : 'catch-up');
    let tick = fromTick;
    for (const part of parts) {
      if (part.kind === 'audio') tick = await rig.media.audio(channel, part.fromTick, part.pcm);
      else {
        tick = part.toTick;
        rig.media.send({ type: 'gap', channel, attempt: 1, toTick: tick });
      }
    }
    rig.media.send({ type: 'end', channel, attempt: 1, tick });
    await rig.words.ended(channel);
  }

  /** Pauses, a long stretch without any (it is cut after 15 s), and gaps, beginning at `lead` ms. */
  function conversation(lead: number): Part[] {
    const long = [
      'i would like to check the balance on my account',
      'my account number is seven three nine two',
      'can you please tell me the status of my order',
      'i was charged twenty five dollars on monday',
      'the total was forty two dollars and ten cents',
      'i need to speak to a supervisor',
      'please hold while i look at your account',
    ];
    return timeline([
      concatenate(
        silence(lead),
        speak('slt', 'thank you for calling how can i help you'),
        silence(800 + lead),
      ),
      concatenate(...long.map((sentence) => speak('slt', sentence))),
      23_456,
      concatenate(speak('kal', 'is there anything else that i can help you with'), silence(333)),
      8001,
      concatenate(
        speak('kal', 'my phone number is five five five one two one two'),
        silence(1100),
        speak('slt', 'yes that is correct'),
      ),
    ]);
  }

  test.each([
    { name: '4 s before', leads: [0, 137, 250, 412, 603], gaps: false },
    { name: 'at the last gap, if that is later', leads: [0, 412], gaps: true },
  ])(
    'whenever an engine dies, another goes on from the committed tick: it begins $name',
    async (variant) => {
      const { leads, gaps, name } = variant;
      let checked = 0;
      let shortened = 0;
      let segments = 0;
      let sameIds = 0;
      await Promise.all(
        leads.map(async (lead) => {
          const parts = conversation(lead);
          const whole = channelNamed(`whole-${lead}-${name}`);
          await play(first, whole, parts, 0, 0);
          const reference = first.words.finalWords(whole);
          expect(reference.length).toBeGreaterThan(70);
          const finals = first.words.ofChannel(whole, 'final');
          expect(finals.some(({ fromTick, toTick }) => toTick - fromTick > 80_000)).toBe(true);
          const points = commits(first.words.messages, whole);
          await Promise.all(
            points.map(async ({ tick, words }, i) => {
              const channel = channelNamed(`replay-${lead}-${name}`, i);
              const full = Math.max(0, tick - WARM_UP_TICKS);
              const fromTick = gaps ? warmUpFrom(parts, tick) : full;
              shortened += fromTick > full ? 1 : 0;
              outputFrom.set(channel, tick);
              await play(second, channel, after(parts, fromTick), fromTick, tick);
              for (const final of second.words.ofChannel(channel, 'final')) {
                expect(final.fromTick).toBeGreaterThanOrEqual(tick);
                expect(final.words[0]!.startTick).toBeGreaterThanOrEqual(tick);
              }
              const together = [...words, ...second.words.finalWords(channel)];
              expectSameWords(together, reference);
              const rest = finals.filter((final) => final.fromTick >= tick);
              const again = second.words.ofChannel(channel, 'final');
              expect(again.map(({ toTick }) => toTick)).toEqual(rest.map(({ toTick }) => toTick));
              segments += rest.length;
              sameIds += rest.filter((final, k) => again[k]!.fromTick === final.fromTick).length;
              checked++;
            }),
          );
        }),
      );
      expect(checked).toBeGreaterThan(8 * leads.length);
      expect(shortened > 0).toBe(gaps);
      expectRulesKept(first.words.messages, () => 0);
      expectRulesKept(second.words.messages, (channel) => outputFrom.get(channel)!);
      expect(sameIds).toBe(segments);
    },
    60_000,
  );
});
