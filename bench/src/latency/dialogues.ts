import type { Dialogue, Party } from '../../../sip-tests/src/dialogue.ts';
import type { SpokenWord } from '../speech/alignment.ts';
import { heldOutSentences } from '../speech/sentences.ts';
import { mulaw } from '../speech/sound.ts';
import { ALIGNED_VOICES, type Utterance } from '../speech/voices.ts';

/** A sentence of one party, with the times of its words from the first packet. */
export interface AlignedTurn {
  readonly words: readonly SpokenWord[];
}

export interface AlignedParty {
  readonly voice: string;
  readonly turns: readonly AlignedTurn[];
}

export interface AlignedDialogue {
  readonly dialogue: Dialogue;
  readonly parties: Readonly<Record<Party, AlignedParty>>;
}

const LEAD_MS = 700;
/** Turns do not begin on boundaries of packets, messages or chunks. */
const PAUSES_MS = [823, 911, 1037, 767];
const TAIL_MS = 1500;

/**
 * Two-party conversations of held-out sentences, each spoken by one of flite's voices, which say when they speak each word.
 * @param turns of each party @throws Error without flite
 */
export async function makeDialogues(calls: number, turns: number): Promise<AlignedDialogue[]> {
  const voices = ALIGNED_VOICES.filter(({ installed }) => installed);
  if (voices.length === 0) throw new Error('flite (Debian package flite) is not installed');
  const sentences = heldOutSentences();
  const dialogues: AlignedDialogue[] = [];
  let next = 0;
  for (let call = 0; call < calls; call++) {
    const [agent, customer] = [voices[(2 * call) % voices.length]!, voices[(2 * call + 1) % voices.length]!];
    const texts = Array.from({ length: 2 * turns }, () => sentences[next++ % sentences.length]!);
    const spoken = {
      agent: await agent.speak(
        texts.filter((_, i) => i % 2 === 0),
        true,
      ),
      customer: await customer.speak(
        texts.filter((_, i) => i % 2 === 1),
        true,
      ),
    };
    dialogues.push(
      assembled(`held-out-${call}`, { agent: agent.name, customer: customer.name }, spoken, call),
    );
  }
  return dialogues;
}

function assembled(
  name: string,
  voices: Readonly<Record<Party, string>>,
  spoken: Readonly<Record<Party, readonly (Utterance | null)[]>>,
  seed: number,
): AlignedDialogue {
  const placed: { party: Party; at: number; utterance: Utterance }[] = [];
  let ticks = LEAD_MS * 8;
  for (let turn = 0; turn < Math.max(spoken.agent.length, spoken.customer.length); turn++) {
    for (const party of ['agent', 'customer'] as const) {
      const utterance = spoken[party][turn];
      if (utterance === null || utterance === undefined) continue;
      placed.push({ party, at: ticks, utterance });
      ticks += utterance.pcm.length + PAUSES_MS[(placed.length + seed) % PAUSES_MS.length]! * 8;
    }
  }
  const length = ticks + TAIL_MS * 8;
  const of = (party: Party) => {
    const mine = placed.filter((one) => one.party === party);
    const pcm = new Int16Array(length);
    for (const { at, utterance } of mine) pcm.set(utterance.pcm, at);
    const turns = mine.map(({ at, utterance }) => ({
      words: (utterance.words ?? []).map(({ text, startMs, endMs }) => ({
        text,
        startMs: startMs + at / 8,
        endMs: endMs + at / 8,
      })),
    }));
    const described = mine.map(({ at, utterance: { text, pcm: sound } }) => ({
      startMs: at / 8,
      endMs: (at + sound.length) / 8,
      text,
    }));
    const speaker = { voice: voices[party], name: party, user: party, turns: described, mulaw: mulaw(pcm) };
    return { speaker, aligned: { voice: voices[party], turns } };
  };
  const [agent, customer] = [of('agent'), of('customer')];
  return {
    dialogue: {
      name,
      durationMs: length / 8,
      parties: { agent: agent.speaker, customer: customer.speaker },
    },
    parties: { agent: agent.aligned, customer: customer.aligned },
  };
}
