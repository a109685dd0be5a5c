import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadDialogues, parties } from '../../../sip-tests/src/dialogue.ts';
import { heldOutSentences } from '../speech/sentences.ts';
import { bytesOf, fromMulaw, joined, silence, throughMulaw } from '../speech/sound.ts';
import { ALIGNED_VOICES, type Utterance } from '../speech/voices.ts';
import type { TapeFile } from './engine-program.ts';

/** Between two sentences: nobody speaks without a breath. */
const BREATH_MS = 150;
const TAPE_SENTENCES = 24;

export interface Tapes {
  readonly speech: TapeFile;
  /** Parties of conversations, with the silence in which the other one speaks. */
  readonly conversations: readonly TapeFile[];
  readonly seconds: number;
  readonly source: string;
}

/** Writes what channels say into a folder: unbroken speech of several voices through mu-law, and conversations. */
export async function makeTapes(folder: string): Promise<Tapes> {
  const spoken = await utterances();
  const speech = spoken.length > 0 ? aligned(spoken) : { pcm: unbrokenDialogues(), words: [] };
  const speechPath = join(folder, 'speech.raw');
  await writeFile(speechPath, bytesOf(speech.pcm));
  const conversations: TapeFile[] = [];
  for (const dialogue of loadDialogues()) {
    for (const party of parties) {
      const path = join(folder, `${dialogue.name}-${party}.raw`);
      await writeFile(path, bytesOf(fromMulaw(dialogue.parties[party].mulaw)));
      conversations.push({ path, words: [] });
    }
  }
  return {
    speech: { path: speechPath, words: speech.words },
    conversations,
    seconds: Math.round(speech.pcm.length / 8000),
    source:
      spoken.length > 0
        ? "held-out sentences by flite's voices"
        : "sip-tests' dialogues without their pauses",
  };
}

async function utterances(): Promise<Utterance[]> {
  const installed = ALIGNED_VOICES.filter((voice) => voice.installed);
  if (installed.length === 0) return [];
  const sentences = heldOutSentences().slice(0, TAPE_SENTENCES);
  const byVoice = await Promise.all(
    installed.map((voice, i) =>
      voice.speak(
        sentences.filter((_, at) => at % installed.length === i),
        true,
      ),
    ),
  );
  // Voice after voice in turn.
  return sentences.flatMap(
    (_, at) => byVoice[at % installed.length]?.[Math.floor(at / installed.length)] ?? [],
  );
}

function aligned(spoken: readonly Utterance[]): { pcm: Int16Array; words: TapeFile['words'] } {
  const words: { text: string; endTick: number }[] = [];
  const parts: Int16Array[] = [];
  let tick = 0;
  for (const { pcm, words: said } of spoken) {
    // The synthesiser's own silence at both ends is not speech.
    const from = Math.max(0, Math.round((said?.[0]?.startMs ?? 0) * 8));
    const to = Math.min(pcm.length, Math.round((said?.at(-1)?.endMs ?? pcm.length / 8) * 8));
    for (const { text, endMs } of said ?? [])
      words.push({ text, endTick: tick - from + Math.round(endMs * 8) });
    parts.push(pcm.subarray(from, to), silence(BREATH_MS));
    tick += to - from + BREATH_MS * 8;
  }
  return { pcm: throughMulaw(joined(...parts)), words };
}

function unbrokenDialogues(): Int16Array {
  return joined(
    ...loadDialogues().flatMap((dialogue) =>
      parties.flatMap((party) => {
        const { mulaw, turns } = dialogue.parties[party];
        return turns.map(({ startMs, endMs }) => fromMulaw(mulaw.subarray(startMs * 8, endMs * 8)));
      }),
    ),
  );
}
