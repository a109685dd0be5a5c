import { type IgnoredReason, type RemoteEvent, type RemoteWord, UNKNOWN_CONFIDENCE } from './protocol.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

/** @returns null when text is not a JSON object */
export function objectOf(text: string): JsonObject | null {
  try {
    return asObject(JSON.parse(text));
  } catch {
    return null;
  }
}

export const asObject = (value: unknown): JsonObject | null =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : null;

export const asArray = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

export const ignored = (reason: IgnoredReason): RemoteEvent => ({ kind: 'ignored', reason });

/** Words longer than this are not words. */
const MOST_CHARACTERS = 100;
/** A server's clock may be a little ahead of the audio it was sent: padding of its own, rounding. */
const AHEAD_SAMPLES = 8000;
/** A word may end before the last one did, by the rounding of both; by more it is a repetition. */
const BEHIND_SAMPLES = 8000;

/** Checks times of words against the stream. A fault costs the one word and is told. */
export class WordReader {
  /** Samples that were sent. */
  sentSamples = 0;
  /** End of the last final word. */
  finalSample = 0;
  readonly faults: RemoteEvent[] = [];

  /** @param startS seconds of the stream @returns the words of text (usually one); none when something is wrong */
  words(text: unknown, startS: unknown, endS: unknown, confidence: unknown): RemoteWord[] {
    if (typeof text !== 'string' || text.length > MOST_CHARACTERS) return this.#fault('field');
    const parts = text
      .toLowerCase()
      .split(/\s+/)
      .filter((part) => part !== '');
    if (parts.length === 0) return [];
    if (typeof startS !== 'number' || typeof endS !== 'number') return this.#fault('time');
    const start = Math.round(startS * 8000);
    const end = Math.min(Math.round(endS * 8000), this.sentSamples);
    const inRange = start >= 0 && end >= 0 && endS >= startS && start <= this.sentSamples + AHEAD_SAMPLES;
    if (!inRange) return this.#fault('time');
    if (end < this.finalSample - BEHIND_SAMPLES) return this.#fault('order');
    const sure = typeof confidence === 'number' && confidence >= 0 && confidence <= 1 ? confidence : null;
    return spread(parts, Math.min(start, end), end, sure);
  }

  /** The faults since the last call. */
  takeFaults(): RemoteEvent[] {
    return this.faults.splice(0);
  }

  #fault(reason: IgnoredReason): [] {
    this.faults.push(ignored(reason));
    return [];
  }
}

/** Gives each of several texts its share, by letters, of the time that they have together. */
export function spread(
  texts: readonly string[],
  startSample: number,
  endSample: number,
  confidence: number | null,
): RemoteWord[] {
  const letters = texts.reduce((sum, text) => sum + text.length, 0);
  const length = endSample - startSample;
  let before = 0;
  return texts.map((text) => {
    const from = startSample + Math.floor((length * before) / letters);
    before += text.length;
    const to = startSample + Math.floor((length * before) / letters);
    return { text, startSample: from, endSample: to, confidence: confidence ?? UNKNOWN_CONFIDENCE };
  });
}

/** What a server calls text; whatever else it sends there says nothing, and must not be asked what it is. */
export const textOf = (value: unknown): string =>
  typeof value === 'string' || typeof value === 'number' ? String(value) : '';
