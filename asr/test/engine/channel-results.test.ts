import type { Word } from '@earshot/contracts';
import { describe, expect, test } from 'vitest';
import { Channel, type ChannelOpening } from '../../src/engine/channel.ts';
import { shareBuffers } from '../../src/engine/shared-step.ts';
import type { WordsSink } from '../../src/engine/sink.ts';
import { describeModel } from '../../src/models/folder.ts';
import type { ModelDescription } from '../../src/models/model.ts';
import { SHIPPED_MODEL, channelNamed, openingOf } from '../support/rig.ts';

/** By the best tokens: those are what the tests make up. */
const model = { ...describeModel(SHIPPED_MODEL), languageModel: null };
const FRAMES = model.framesPerChunk;
const id = channelNamed('results');
const begins = model.pieces.findIndex((piece) => /^▁[a-z]{2}$/.test(piece));
const goesOn = model.pieces.findIndex((piece) => /^[a-z]{2}$/.test(piece));

/** A channel whose results the test makes up. */
function scripted(changes: Partial<ChannelOpening> = {}, description: ModelDescription = model) {
  const said: { kind: string; words: readonly Word[]; endpoint?: string; at?: string; rev?: number }[] = [];
  const sink: WordsSink = {
    congested: false,
    blocked: false,
    partial: (_id, _attempt, { words, segmentId, rev }) =>
      said.push({ kind: 'partial', words, at: segmentId, rev }),
    final: (_id, _attempt, { words, endpoint }) => said.push({ kind: 'final', words, endpoint }),
    progress: () => undefined,
    ended: () => undefined,
  };
  const owner = { credit: () => undefined, lost: () => undefined };
  const channel = new Channel(openingOf(id, changes), 0, owner, sink, description);
  const buffers = shareBuffers(description, 1);
  const hear = (ids: readonly number[]): void => {
    for (let at = 0; at < ids.length; at += FRAMES) {
      for (let k = 0; k < FRAMES; k++) buffers.ids[k] = ids[at + k] ?? model.blank;
      channel.take(buffers, 0, FRAMES, model.timing.chunkSamples);
      channel.report(0, { stepped: true });
    }
  };
  /** Frames for a beam: the probability of one token, the rest a blank's. */
  const hearUnsure = (frames: readonly (readonly [number, number])[]): void => {
    const vocabulary = description.pieces.length;
    for (let at = 0; at < frames.length; at += FRAMES) {
      buffers.logprobs.fill(Math.log(1e-6));
      for (let k = 0; k < FRAMES; k++) {
        const [token, p] = frames[at + k] ?? [model.blank, 1];
        buffers.logprobs[k * vocabulary + model.blank] = Math.log(1 - p || 1);
        if (token !== model.blank) buffers.logprobs[k * vocabulary + token] = Math.log(p);
      }
      channel.take(buffers, 0, FRAMES, model.timing.chunkSamples);
      channel.report(0, { stepped: true });
    }
  };
  return { channel, said, hear, hearUnsure };
}

const blanks = (count: number): number[] => new Array<number>(count).fill(model.blank);

describe('what a channel says', () => {
  test('a request makes what was said so far final together, as soon as its last word is whole', () => {
    const { channel, said, hear } = scripted();
    hear([...blanks(2), begins, goesOn, ...blanks(4), begins, ...blanks(1)]);
    channel.finalise(0);
    expect(said.filter(({ kind }) => kind === 'final')).toEqual([]);
    hear(blanks(10));
    const finals = said.filter(({ kind }) => kind === 'final');
    expect(finals.map(({ words, endpoint }) => [words.length, endpoint])).toEqual([[2, 'request']]);
  });

  test('maxDelayMs of the opening reaches the decoder', () => {
    const talk = Array.from({ length: 12 }, () => [begins, goesOn, ...blanks(3)]).flat();
    const patient = scripted();
    patient.hear(talk);
    expect(patient.said.filter(({ kind }) => kind === 'final')).toEqual([]);
    const hasty = scripted({ maxDelayMs: 1500 });
    hasty.hear(talk);
    const finals = hasty.said.filter(({ kind }) => kind === 'final');
    expect(finals.length).toBeGreaterThan(0);
    expect(new Set(finals.map(({ endpoint }) => endpoint))).toEqual(new Set(['delay']));
  });

  test('words in partials are counted once, and none changes that was held back until it was whole', () => {
    const { channel, hear } = scripted();
    hear(Array.from({ length: 8 }, () => [begins, goesOn, blanks(1)[0]!, goesOn, ...blanks(3)]).flat());
    expect(channel.partialWords.shown).toBeGreaterThanOrEqual(7);
    expect(channel.partialWords.changed).toBe(0);
    const eager = scripted({}, { ...model, timing: { ...model.timing, wordHoldSamples: 0 } });
    eager.hear([...blanks(4), begins, goesOn, ...blanks(14)]);
    expect([eager.channel.partialWords.shown, eager.channel.partialWords.changed]).toEqual([2, 1]);
  });

  test('words that were shown and turn out to be nothing are taken back, once', () => {
    // As long as it may become the phrase it is worth more than silence.
    const phrases = [{ text: `${model.pieces[begins]!.slice(1)}aaaaaaaaaaaa`, boost: 5 }];
    const { channel, said, hearUnsure } = scripted({ phrases });
    const silence = [model.blank, 0] as const;
    hearUnsure([silence, silence, [begins, 0.2], ...new Array<typeof silence>(37).fill(silence)]);
    const [shown, ...rest] = said;
    expect(shown!.words).toHaveLength(1);
    expect(rest.map(({ kind, words, at }) => [kind, words.length, at])).toEqual([['partial', 0, shown!.at]]);
    expect(rest[0]!.rev).toBeGreaterThan(shown!.rev!);
    expect([channel.partialWords.shown, channel.partialWords.changed]).toEqual([1, 1]);
    // What is said next is shown as ever, and its final takes nothing back.
    hearUnsure([[begins, 0.999], ...new Array<typeof silence>(24).fill(silence)]);
    expect(said.slice(2).map(({ words }) => words.length)).not.toContain(0);
    expect(said.at(-1)!.kind).toBe('final');
  });

  test('phrases are wanted of a CTC model only, and those that cannot be written are told', () => {
    const phrases = [
      { text: 'earshot', boost: 2 },
      { text: '☎', boost: 2 },
    ];
    const ctc = scripted({ phrases }).channel;
    expect([ctc.wantsFull, ctc.ignoredPhrases]).toEqual([true, 1]);
    const transducer = scripted({ phrases }, { ...model, repeats: 'each' }).channel;
    expect([transducer.wantsFull, transducer.ignoredPhrases]).toEqual([false, 2]);
    expect(scripted().channel.wantsFull).toBe(false);
    // With a language model every channel wants them; a transducer has no use for one.
    const shipped = describeModel(SHIPPED_MODEL);
    expect(scripted({}, shipped).channel.wantsFull).toBe(true);
    expect(scripted({}, { ...shipped, repeats: 'each' }).channel.wantsFull).toBe(false);
  });
});

describe('a transducer', () => {
  test('says a token twice that comes in two frames running', () => {
    const { said, hear } = scripted({}, { ...model, repeats: 'each' });
    hear([begins, goesOn, goesOn, ...blanks(22)]);
    const text = said.at(-1)!.words[0]!.text;
    expect(text).toBe(model.pieces[begins]!.slice(1) + model.pieces[goesOn]!.repeat(2));
  });
});
