import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Rig, channelNamed, startRig } from '../support/rig.ts';
import { canSpeak, concatenate, silence, speak } from '../support/speech.ts';
import { expectRulesKept } from '../support/stream-rules.ts';
import { wordErrors } from '../support/word-errors.ts';
import { ModelVosk } from './model-vosk.ts';
import { type RemoteRig, Script, Speaker, startRemoteRig } from './rig.ts';

const SENTENCES = [
  'i would like to check the balance on my account',
  'thank you for calling how can i help you',
  'please hold while i look at your account',
  'i need to speak to a supervisor',
];

describe.skipIf(!canSpeak)(
  'real speech through a Vosk server with the shipped model behind it (needs flite)',
  () => {
    let server: ModelVosk;
    let remote: RemoteRig;
    let local: Rig;
    beforeAll(async () => {
      server = await ModelVosk.start();
      remote = await startRemoteRig(server.address);
      local = await startRig();
    });
    afterAll(async () => {
      await remote.stop();
      await server.close();
      await local.stop();
    });

    function callOf(voice: 'slt' | 'kal'): Script {
      const script = new Script(2000);
      for (const sentence of SENTENCES) {
        script.recording(concatenate(silence(300), speak(voice, sentence), silence(600))).gap(2500);
      }
      return script;
    }

    test.each(['slt', 'kal'] as const)(
      'the voice %s is understood as well, and timed, as by the engine itself',
      async (voice) => {
        const far = new Speaker(remote, channelNamed(`far-${voice}`), callOf(voice));
        const near = new Speaker(local, channelNamed(`near-${voice}`), callOf(voice));
        await Promise.all([far.finish(60_000), near.finish(60_000)]);
        const reference = SENTENCES.join(' ').split(' ');
        const farErrors = wordErrors(reference, far.text.split(' '));
        const nearErrors = wordErrors(reference, near.text.split(' '));
        console.log(
          `${voice}: ${farErrors} errors by network, ${nearErrors} without, of ${reference.length} words`,
        );
        // Its state is cleared at a gap here and is not there: a word may differ.
        expect(farErrors).toBeLessThanOrEqual(nearErrors + 2);
        expect(nearErrors).toBeLessThan(reference.length / 3);
        const moved = far.finals.flatMap(({ text, startTick }) => {
          const same = near.finals.filter(
            (word) => word.text === text && Math.abs(word.startTick - startTick) < 8000,
          );
          return same.length === 0
            ? []
            : [Math.min(...same.map((word) => Math.abs(word.startTick - startTick)))];
        });
        expect(moved.length).toBeGreaterThan(reference.length * 0.6);
        moved.sort((a, b) => a - b);
        // 80 ms
        expect(moved[Math.floor(moved.length * 0.9)]!).toBeLessThanOrEqual(640);
        expect(far.lost).toEqual([]);
        expectRulesKept(remote.words.messages, () => 0);
      },
    );
  },
);
