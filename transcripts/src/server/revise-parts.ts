import type { RevisedSegment, ToCommands } from '@earshot/contracts';

type Part = Extract<ToCommands, { type: 'transcript.revise' }>;

/** Whoever sends parts and dies leaves them here: the oldest of so many go. post-call sends one transcript at a time. */
const MOST_TRANSCRIPTS = 4;

/** Puts transcripts together that come in parts. A part that comes twice counts once. */
export class ReviseParts {
  readonly #open = new Map<string, (readonly RevisedSegment[] | undefined)[]>();

  /**
   * @returns `taken` when more is to come; `missing` when this is the last part and one before it is not here (they were told to
   * a predecessor); else all segments
   */
  take({ retranscription, part, parts, segments }: Part): 'taken' | 'missing' | readonly RevisedSegment[] {
    const known = this.#open.get(retranscription);
    const all =
      part === 0 || known === undefined ? new Array<readonly RevisedSegment[] | undefined>(parts) : known;
    this.#open.delete(retranscription);
    all[part] = segments;
    if (part < parts - 1) {
      this.#open.set(retranscription, all);
      const [oldest] = this.#open.keys();
      if (this.#open.size > MOST_TRANSCRIPTS && oldest !== undefined) this.#open.delete(oldest);
      return 'taken';
    }
    const whole = Array.from({ length: parts }, (_, index) => all[index]);
    return whole.includes(undefined) ? 'missing' : whole.flatMap((segments) => segments ?? []);
  }
}
