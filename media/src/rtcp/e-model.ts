/**
 * Quality by the E-model: ITU-T G.107 (2015) for codecs of 3.4 kHz, G.107.1 (2019) for those of 7 kHz and more, with all parameters
 * but codec, loss and delay at their defaults. No echo is assumed. It is a planning model: good for comparing channels and for
 * finding bad ones, not a judgement of the audio itself.
 */
export interface CodecImpairment {
  readonly scale: 'narrowband' | 'wideband';
  /** Ie of the codec without loss. */
  readonly impairment: number;
  /** Bpl: the larger, the less a loss is heard. */
  readonly robustness: number;
  /** Where the numbers are from. `assumed`: no recommendation has them. */
  readonly source: 'G.113' | 'assumed';
}

/** G.113 Appendix I: G.711 with the concealment of its Appendix I, and without (then 4.3). */
const G711_CONCEALED: CodecImpairment = {
  scale: 'narrowband',
  impairment: 0,
  robustness: 25.1,
  source: 'G.113',
};
const CODECS: Readonly<Record<string, CodecImpairment>> = {
  PCMU: G711_CONCEALED,
  PCMA: G711_CONCEALED,
  /** G.113 Appendix IV has 13 for 64 kbit/s, but nothing for loss: as robust as G.711, whose waveform concealment it gets. */
  G722: { scale: 'wideband', impairment: 13, robustness: 25.1, source: 'assumed' },
  /** No recommendation has Opus; its concealment is at least as good as that of waveforms. */
  OPUS: { scale: 'wideband', impairment: 5, robustness: 25.1, source: 'assumed' },
  L16: { scale: 'wideband', impairment: 0, robustness: 25.1, source: 'assumed' },
};
const G711_SILENT: CodecImpairment = { ...G711_CONCEALED, robustness: 4.3 };

/** @param concealed false: losses are played as silence (known for G.711 only) @returns G.711's where the codec is unknown */
export function impairmentOf(codec: string, concealed = true): CodecImpairment {
  const name = codec.toUpperCase();
  const found = Object.hasOwn(CODECS, name) ? CODECS[name]! : G711_CONCEALED;
  return found === G711_CONCEALED && !concealed ? G711_SILENT : found;
}

export interface QualityInput {
  readonly codec: CodecImpairment;
  /** 0 to 1, of what was to be played: packets that came too late are lost, too. */
  readonly lossRatio: number;
  /** See LossBursts. 1: by chance. */
  readonly burstRatio: number;
  /** Mouth to ear, one way: half the round trip, the packet's duration and the jitter buffer; 0 where nothing is known. */
  readonly delayMs: number;
}

export interface Quality {
  /** 0 to 93.2 (narrowband) or 129 (wideband). */
  readonly r: number;
  /** 1 to 4.5, on the codec's own scale: narrowband listeners miss nothing in a good G.711 call. */
  readonly mos: number;
}

/** R0 - Is of the defaults (G.107 section 7.7, G.107.1 section 7.1). */
const BEST_R = { narrowband: 93.2, wideband: 129 } as const;
const WORST_IMPAIRMENT = 95;
/** Beyond 2 % loss G.107 section 7.5 is known to hold up to a burst ratio of 2. */
const BURSTS_HOLD_BELOW = 0.02;
const MAX_BURST_RATIO = 8;
const MAX_BURST_RATIO_IN_LOSS = 2;

export function quality({ codec, lossRatio, burstRatio, delayMs }: QualityInput): Quality {
  const lossPercent = Math.min(1, Math.max(0, lossRatio)) * 100;
  const highest = lossRatio > BURSTS_HOLD_BELOW ? MAX_BURST_RATIO_IN_LOSS : MAX_BURST_RATIO;
  const bursts = Math.min(highest, Math.max(1, burstRatio));
  // Ie,eff (G.107 section 7.5, G.107.1 section 7.3).
  const loss =
    codec.impairment +
    ((WORST_IMPAIRMENT - codec.impairment) * lossPercent) / (lossPercent / bursts + codec.robustness);
  const r = Math.max(0, BEST_R[codec.scale] - loss - delayImpairment(delayMs));
  return { r, mos: mosOf(codec.scale === 'wideband' ? r / 1.29 : r) };
}

/** Idd, what delay alone does without echo (G.107 section 7.4). Nothing up to 100 ms. */
export function delayImpairment(delayMs: number): number {
  if (delayMs <= 100) return 0;
  const x = Math.log2(delayMs / 100);
  return 25 * ((1 + x ** 6) ** (1 / 6) - 3 * (1 + (x / 3) ** 6) ** (1 / 6) + 2);
}

/** G.107 Annex B; for wideband R over 1.29, as G.107.1 has it. Never below 1. */
function mosOf(r: number): number {
  if (r <= 0) return 1;
  if (r >= 100) return 4.5;
  return Math.max(1, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6);
}
