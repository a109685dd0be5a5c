import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Rig, channelNamed, startRig } from '../support/rig.ts';
import { canSpeak, concatenate, silence, speak, TAPE_SENTENCES } from '../support/speech.ts';
import { expectRulesKept } from '../support/stream-rules.ts';
import { wordErrors } from '../support/word-errors.ts';

describe.skipIf(!canSpeak)('recognition (needs flite)', () => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await startRig();
  });
  afterAll(async () => {
    expectRulesKept(rig.words.messages, () => 0);
    await rig.stop();
  });

  async function transcribe(
    name: string,
    pcm: Int16Array,
    sizes: readonly number[] = [800],
  ): Promise<string> {
    const channel = channelNamed(name);
    rig.media.open(channel);
    const tick = await rig.media.audio(channel, 0, pcm, { sizes });
    rig.media.send({ type: 'end', channel, attempt: 1, tick });
    await rig.words.ended(channel);
    return rig.words.text(channel);
  }

  test.each([
    // The model card has 14 % for slt and 11 % for kal, on other sentences: five points are allowed on top of that.
    ['slt', 0.19],
    ['kal', 0.16],
  ] as const)('the voice %s is understood about as well as the model card says', async (voice, bound) => {
    const results = await Promise.all(
      TAPE_SENTENCES.map((sentence, i) => transcribe(`wer-${voice}-${i}`, speak(voice, sentence))),
    );
    let errors = 0;
    let count = 0;
    for (const [i, sentence] of TAPE_SENTENCES.entries()) {
      const reference = sentence.split(' ');
      errors += wordErrors(reference, results[i]!.split(' '));
      count += reference.length;
    }
    console.log(`word error rate, ${voice}: ${((100 * errors) / count).toFixed(1)} % of ${count} words`);
    expect(errors / count).toBeLessThan(bound);
  });

  test('the same audio gives the same finals, however it is cut into messages', async () => {
    const pcm = concatenate(
      silence(137),
      speak('slt', TAPE_SENTENCES[0]!),
      silence(1200),
      speak('kal', TAPE_SENTENCES[1]!),
    );
    const cuttings = [[800], [160], [2400], [4800], [1], [777, 13, 2401, 5]].map((sizes, i) =>
      i === 4 ? Array.from({ length: 97 }, (_, k) => 100 + 31 * k) : sizes,
    );
    await Promise.all(cuttings.map((sizes, i) => transcribe(`cut-${i}`, pcm, sizes)));
    const finals = cuttings.map((_, i) =>
      rig.words
        .ofChannel(channelNamed(`cut-${i}`), 'final')
        .map(({ fromTick, toTick, words }) => ({ fromTick, toTick, words })),
    );
    expect(finals[0]!.length).toBe(2);
    for (const other of finals.slice(1)) expect(other).toEqual(finals[0]);
  });

  test('sixteen channels at once get the words that each gets alone, though one of them shouts', async () => {
    const inputs = Array.from({ length: 16 }, (_, i) => {
      const pcm = speak(i % 2 === 0 ? 'slt' : 'kal', TAPE_SENTENCES[i % TAPE_SENTENCES.length]!);
      const gain = i === 5 ? 12 : 1 / (1 + (i % 4));
      return pcm.map((sample) => Math.max(-32768, Math.min(32767, Math.round(sample * gain))));
    });
    const alone: string[] = [];
    for (const [i, pcm] of inputs.entries()) alone.push(await transcribe(`alone-${i}`, pcm));
    const together = await Promise.all(inputs.map((pcm, i) => transcribe(`together-${i}`, pcm)));
    expect(together).toEqual(alone);
    expect(alone.filter((text) => text.split(' ').length >= 4).length).toBeGreaterThan(12);
  });

  test('a sentence after a gap gets the words that it gets alone', async () => {
    const sentences = TAPE_SENTENCES.map((sentence) => speak('slt', sentence));
    const alone = await Promise.all(sentences.map((pcm, i) => transcribe(`single-${i}`, pcm)));
    const channel = channelNamed('gaps');
    rig.media.open(channel);
    let tick = 0;
    for (const pcm of sentences) {
      tick = (await rig.media.audio(channel, tick, pcm)) + 4321;
      rig.media.send({ type: 'gap', channel, attempt: 1, toTick: tick });
    }
    rig.media.send({ type: 'end', channel, attempt: 1, tick });
    await rig.words.ended(channel);
    expect(rig.words.text(channel)).toBe(alone.join(' '));
  });
});
