import { EnergyJudge, type SpeechJudge } from './speech.ts';
import { ModelJudge } from './vad-model.ts';

/** The setting VAD: how speech is told from what need not be recognised. */
export const VAD_KINDS = ['model', 'energy'] as const;
export type VadKind = (typeof VAD_KINDS)[number];
/** The model loses words that are spoken over music at 10 dB (bench/README.md), energy none. */
export const DEFAULT_VAD: VadKind = 'energy';

/** The kind that a setting names, or the usual one. */
export const vadKindOf = (setting: string | undefined): VadKind =>
  VAD_KINDS.find((kind) => kind === setting) ?? DEFAULT_VAD;

/** For one channel. */
export const newSpeechJudge = (kind: VadKind): SpeechJudge =>
  kind === 'energy' ? new EnergyJudge() : new ModelJudge();
