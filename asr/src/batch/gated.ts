import {
  DEFAULT_VAD,
  Gate,
  newSpeechJudge,
  PRE_ROLL_TICKS,
  type SpeechJudge,
  type SpeechMark,
  VAD_FRAME_TICKS,
} from '@earshot/contracts';

/** What the recogniser gets of a channel, in order and without holes. Ticks. */
export type Piece =
  | { readonly kind: 'audio'; readonly from: number; readonly samples: Int16Array }
  | { readonly kind: 'gap'; readonly from: number; readonly to: number };

/** Samples in a piece of audio, at most. */
const MAX_PIECE_TICKS = 8000;

/**
 * Cuts one channel's samples into speech and what lies between, as the live path does (media/src/asr-link/step.ts): the same audio
 * then gives the same words.
 */
export class Gated {
  readonly #gate = new Gate();
  readonly #judge: SpeechJudge;
  #pending = new Int16Array(0);
  /** The tick of the first pending sample. */
  #cursor = 0;
  /** Up to here frames were looked at; a whole number of frames from 0 where they are judged anew. */
  #judged = 0;
  readonly #marks: readonly SpeechMark[] | null;
  #nextMark = 0;
  /** With marks: what was heard, from the cursor on. Start and end of spans, rising and apart. */
  #heard: { from: number; to: number }[] = [];

  /** @param marks of the channel, as the live path had them; null: speech is found anew, and all of the recording was heard */
  constructor(marks: readonly SpeechMark[] | null = null, judge: SpeechJudge = newSpeechJudge(DEFAULT_VAD)) {
    this.#marks = marks;
    this.#judge = judge;
  }

  /** @param samples that follow those before @param last whether they are the last @returns pieces that are decided */
  *push(samples: Int16Array, last: boolean): Generator<Piece> {
    const joined = new Int16Array(this.#pending.length + samples.length);
    joined.set(this.#pending);
    joined.set(samples, this.#pending.length);
    this.#pending = joined;
    const end = this.#cursor + joined.length;
    if (this.#marks === null) this.#judgeUpTo(end, last);
    else this.#readMarks(this.#marks, end);
    // Speech that begins within the pre-roll opens the gate back to here.
    const decided = last ? end : Math.max(this.#cursor, this.#judged - PRE_ROLL_TICKS);
    while (this.#cursor < decided) yield this.#next(decided);
    this.#gate.forget(this.#cursor);
  }

  #judgeUpTo(end: number, last: boolean): void {
    while (this.#judged < end && (last || this.#judged + VAD_FRAME_TICKS <= end)) {
      const to = Math.min(end, this.#judged + VAD_FRAME_TICKS);
      const speech = this.#judge.frame(this.#pending, this.#judged - this.#cursor, to - this.#cursor);
      if (speech) this.#gate.speech(this.#judged, to);
      this.#judged = to;
    }
  }

  #readMarks(marks: readonly SpeechMark[], end: number): void {
    for (; this.#nextMark < marks.length; this.#nextMark++) {
      const [start, ticks, vad] = marks[this.#nextMark]!;
      if (start >= end) break;
      for (let i = 0; i * VAD_FRAME_TICKS < ticks; i++) {
        if (((vad >>> i) & 1) === 0) continue;
        const from = start + i * VAD_FRAME_TICKS;
        this.#gate.speech(from, Math.min(from + VAD_FRAME_TICKS, start + ticks));
      }
      const last = this.#heard.at(-1);
      if (last?.to === start) last.to = start + ticks;
      else this.#heard.push({ from: start, to: start + ticks });
    }
    this.#judged = end;
  }

  #next(decided: number): Piece {
    const from = this.#cursor;
    const openUntil = this.#gate.openUntil(from);
    let kind: Piece['kind'] = openUntil < 0 ? 'gap' : 'audio';
    let to = Math.min(
      decided,
      openUntil < 0 ? Math.ceil(this.#gate.nextOpen(from)) : Math.min(openUntil, from + MAX_PIECE_TICKS),
    );
    if (kind === 'audio' && this.#marks !== null) {
      while (this.#heard.length > 0 && this.#heard[0]!.to <= from) this.#heard.shift();
      const heard = this.#heard[0];
      if (heard === undefined || heard.from > from) {
        kind = 'gap';
        to = Math.min(to, heard?.from ?? Infinity);
      } else to = Math.min(to, heard.to);
    }
    const samples = this.#pending.subarray(0, to - from);
    this.#pending = this.#pending.subarray(to - from);
    this.#cursor = to;
    return kind === 'gap' ? { kind, from, to } : { kind, from, samples };
  }
}
