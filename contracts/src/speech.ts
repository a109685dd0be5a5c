/**
 * Which stretches of a channel are worth recognising. In contracts because the live path (media) and the recognition of a
 * recording (asr/transcribe.ts), which may not import each other, must gate alike: the same audio then gives the same words.
 */

/** Below about -56 dBFS nothing is speech: the idle noise of a codec and a line. Mean square of 16-bit samples. */
export const SILENCE_POWER = 50 ** 2;
/** Speech is 6 dB above the noise. */
const SPEECH_OVER_NOISE = 4;
/** Above about -40 dBFS the floor stands still, so that anything louder than -34 dBFS stays speech for ever. */
const MAX_FLOOR_POWER = 330 ** 2;
/** The floor follows noise up by 1 dB a second (50 frames) and down by a quarter of the way each frame. */
const FLOOR_RISE = 10 ** (0.1 / 50);
const FLOOR_FALL = 0.25;

/**
 * Raw speech activity by energy over an adaptive noise floor, one frame (20 ms) after the other. It errs towards speech: a
 * gate that opens for a door costs a little work, one that swallows a word cannot be mended.
 */
export class SpeechDetector {
  #floor = SILENCE_POWER / SPEECH_OVER_NOISE;
  /** Mean square of the last frame's samples. */
  power = 0;
  /** The last frame's power over that of the noise before it. */
  over = 0;

  /** @param power mean square of the frame's 16-bit samples @returns whether it is speech */
  frame(power: number): boolean {
    this.power = power;
    this.over = power / this.#floor;
    const speech = power > SILENCE_POWER && power > this.#floor * SPEECH_OVER_NOISE;
    if (power < this.#floor) this.#floor += (power - this.#floor) * FLOOR_FALL;
    else this.#floor = Math.min(MAX_FLOOR_POWER, this.#floor * FLOOR_RISE);
    // Digital silence would take the floor to nothing, from where it could not rise by factors.
    this.#floor = Math.max(1, this.#floor);
    return speech;
  }
}

/** A channel's raw speech activity, one frame after the other. */
export interface SpeechJudge {
  /** @param samples the frame is from..to of them, 16-bit, VAD_FRAME_TICKS or fewer @returns whether it is speech */
  frame(samples: Int16Array, from: number, to: number): boolean;
}

/** Mean square of samples[from..to). */
export function powerOfSamples(samples: Int16Array, from: number, to: number): number {
  let sum = 0;
  for (let i = from; i < to; i++) sum += samples[i]! * samples[i]!;
  return sum / Math.max(1, to - from);
}

/** By energy alone. */
export class EnergyJudge implements SpeechJudge {
  readonly #detector = new SpeechDetector();

  frame(samples: Int16Array, from: number, to: number): boolean {
    return this.#detector.frame(powerOfSamples(samples, from, to));
  }
}

/** The gate opens this long before speech (300 ms) and closes this long after it (600 ms). */
export const PRE_ROLL_TICKS = 2400;
export const HANGOVER_TICKS = 4800;

/**
 * Which ticks are worth recognising: open at t when any frame of raw speech lies in [t - hangover, t + pre-roll]. A pure
 * function of the raw bits, so a replay from the spool, which keeps them, gates as the live path did.
 */
export class Gate {
  /** Open spans, start and end in turn, rising and apart. */
  readonly #edges: number[] = [];

  /** A frame of raw speech [start, end), after all others. */
  speech(start: number, end: number): void {
    const edges = this.#edges;
    const open = start - PRE_ROLL_TICKS;
    const last = edges.length - 1;
    if (last >= 0 && open <= edges[last]!) edges[last] = Math.max(edges[last]!, end + HANGOVER_TICKS);
    else edges.push(open, end + HANGOVER_TICKS);
  }

  /** @returns the end of the open span that tick lies in, or -1 when the gate is closed there */
  openUntil(tick: number): number {
    const edges = this.#edges;
    for (let i = edges.length - 2; i >= 0; i -= 2) {
      if (tick >= edges[i]!) return tick < edges[i + 1]! ? edges[i + 1]! : -1;
    }
    return -1;
  }

  /** @returns where the next open span after tick begins, or Infinity when none is known */
  nextOpen(tick: number): number {
    const edges = this.#edges;
    let next = Infinity;
    for (let i = edges.length - 2; i >= 0 && edges[i]! > tick; i -= 2) next = edges[i]!;
    return next;
  }

  /** Forgets what lies before tick. */
  forget(tick: number): void {
    const edges = this.#edges;
    let count = 0;
    while (count < edges.length && edges[count + 1]! < tick) count += 2;
    if (count > 0) edges.splice(0, count);
  }
}

/**
 * A block of the spool as the recording's marks keep it: first tick, ticks, and raw speech by bits (SpoolBlock.vad). What no
 * block covers was never heard.
 */
export type SpeechMark = readonly [startTick: number, ticks: number, vad: number];

/**
 * What lies beside a recording (DATA_DIR/recordings/<callId>.speech.json): by channel, its blocks in order. With it the recording is
 * gated as the call was, so that what a retranscription changes is the model's and the vocabulary's doing.
 */
export interface SpeechMarks {
  readonly channels: readonly (readonly SpeechMark[])[];
}

export const speechFileOf = (recordingFile: string): string =>
  `${recordingFile.replace(/\.(wav|opus)$/, '')}.speech.json`;

/** @returns null when text is not what post-call writes */
export function parseSpeechMarks(text: string): SpeechMarks | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (_notJson) {
    return null;
  }
  const channels = (value as { channels?: unknown } | null)?.channels;
  const sound =
    Array.isArray(channels) &&
    channels.every(
      (marks) =>
        Array.isArray(marks) &&
        marks.every(
          (mark) =>
            Array.isArray(mark) &&
            mark.length === 3 &&
            mark.every((n) => Number.isSafeInteger(n) && Number(n) >= 0),
        ),
    );
  return sound ? (value as SpeechMarks) : null;
}
