/** What a word's confidence is made of. Log-probabilities are natural, each token's that of its best frame. */
export interface WordEvidence {
  readonly tokens: number;
  /** Sum over its tokens. */
  readonly logSum: number;
  /** The least of them. */
  readonly logMin: number;
  /** From its first token's frame to its last one's, in frames, both counted. */
  readonly frames: number;
}

/**
 * A model's calibration, from `asr/calibrate.ts`: the logarithm of the odds that a word is right is
 * bias + mean · (mean log-probability) + min · (least log-probability) + letters · ln(letters) + pace · (frames a letter).
 */
export interface ConfidenceMapping {
  readonly bias: number;
  readonly mean: number;
  readonly min: number;
  readonly letters: number;
  readonly pace: number;
}

/** The terms that the mapping's weights stand before, in its order after the bias. */
export function confidenceTerms(
  evidence: WordEvidence,
  letters: number,
): readonly [mean: number, min: number, letters: number, pace: number] {
  const count = Math.max(1, letters);
  return [
    evidence.logSum / Math.max(1, evidence.tokens),
    evidence.logMin,
    Math.log(count),
    evidence.frames / count,
  ];
}

/**
 * How likely a word is right, 0..1.
 * @param mapping null: not calibrated, the geometric mean of the tokens' probabilities
 */
export function confidenceOf(
  evidence: WordEvidence,
  letters: number,
  mapping: ConfidenceMapping | null,
): number {
  const terms = confidenceTerms(evidence, letters);
  if (mapping === null) return Math.min(1, Math.exp(terms[0]));
  const odds =
    mapping.bias +
    mapping.mean * terms[0] +
    mapping.min * terms[1] +
    mapping.letters * terms[2] +
    mapping.pace * terms[3];
  return 1 / (1 + Math.exp(-odds));
}
