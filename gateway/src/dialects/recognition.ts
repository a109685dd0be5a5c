import {
  MAX_DELAY_LIMITS,
  type RecognitionConfig,
  VOCABULARY_LIMITS,
  VOCABULARY_NAME_PATTERN,
} from '@earshot/contracts';
import type { InviteHeaders } from './invite.ts';

export const VOCABULARY_HEADER = 'X-Earshot-Vocabulary';
export const MAX_DELAY_HEADER = 'X-Earshot-Max-Delay';

const NAME = new RegExp(VOCABULARY_NAME_PATTERN);

/** What an INVITE asks of the recogniser, and what in it could not be used. */
export interface AskedRecognition {
  /** Null when it asks for nothing. */
  readonly recognition: RecognitionConfig | null;
  readonly ignored: readonly { readonly header: string; readonly fault: string }[];
}

/**
 * Reads `X-Earshot-Vocabulary: sales, billing` (an empty value: no list, not even `default`) and
 * `X-Earshot-Max-Delay: 1500` (milliseconds). What is wrong in them is left out: a call is worth more than its settings.
 */
export function recognitionOf(invite: InviteHeaders): AskedRecognition {
  const ignored: { header: string; fault: string }[] = [];
  const vocabulary = vocabularyOf(invite.header(VOCABULARY_HEADER), (fault) =>
    ignored.push({ header: VOCABULARY_HEADER, fault }),
  );
  const maxDelayMs = maxDelayOf(invite.header(MAX_DELAY_HEADER), (fault) =>
    ignored.push({ header: MAX_DELAY_HEADER, fault }),
  );
  const recognition = {
    ...(vocabulary === null ? {} : { vocabulary }),
    ...(maxDelayMs === null ? {} : { maxDelayMs }),
  };
  return { recognition: Object.keys(recognition).length === 0 ? null : recognition, ignored };
}

function vocabularyOf(value: string | null, fault: (what: string) => void): string[] | null {
  if (value === null) return null;
  const named = value
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '');
  const good = [...new Set(named.filter((name) => NAME.test(name)))];
  if (named.some((name) => !NAME.test(name))) fault('not the name of a list');
  if (good.length > VOCABULARY_LIMITS.listsOfCall) fault('too many lists');
  // Nothing that could be used was asked for: as if it had not been.
  if (good.length === 0 && named.length > 0) return null;
  return good.slice(0, VOCABULARY_LIMITS.listsOfCall);
}

function maxDelayOf(value: string | null, fault: (what: string) => void): number | null {
  if (value === null) return null;
  const text = value.trim();
  const ms = /^\d{1,6}$/.test(text) ? Number(text) : NaN;
  if (ms >= MAX_DELAY_LIMITS.minMs && ms <= MAX_DELAY_LIMITS.maxMs) return ms;
  fault(`not milliseconds from ${MAX_DELAY_LIMITS.minMs} to ${MAX_DELAY_LIMITS.maxMs}`);
  return null;
}
