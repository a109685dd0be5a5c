import type { VocabularyPhrase } from '@earshot/contracts';

/** A word as a speech server said it. Samples count from the start of the server's stream, 8000 a second. */
export interface RemoteWord {
  readonly text: string;
  readonly startSample: number;
  readonly endSample: number;
  /** 0..1 */
  readonly confidence: number;
}

/** Why a server does not serve. It decides how long to wait and what the log tells people to do. */
export type RefusalReason =
  /** The key. */
  | 'key'
  /** Something in ASR_MODEL that no retry changes: language, path, settings. */
  | 'settings'
  /** Too many connections for the server or the contract. */
  | 'full'
  /** Anything else: down, restarted, broken. */
  | 'link';

/** Why something that a server said was not used. The label of earshot_asr_remote_ignored_total. */
export type IgnoredReason = 'json' | 'type' | 'field' | 'time' | 'order';

/** What a message of a server means. */
export type RemoteEvent =
  /** Audio may be sent. */
  | { readonly kind: 'ready' }
  /** The server has the stream up to here. */
  | { readonly kind: 'taken'; readonly uptoSample: number }
  /** The words after the last final one, as they are guessed now. */
  | { readonly kind: 'partial'; readonly words: readonly RemoteWord[] }
  /** Words that will not change. Everything before uptoSample is final (null: the server does not say). */
  | { readonly kind: 'final'; readonly words: readonly RemoteWord[]; readonly uptoSample: number | null }
  /** The speaker paused: what was final until here belongs together. */
  | { readonly kind: 'utterance' }
  /** Answer to finish(): nothing more comes. */
  | { readonly kind: 'finished' }
  | { readonly kind: 'refused'; readonly reason: RefusalReason; readonly type: string }
  | { readonly kind: 'ignored'; readonly reason: IgnoredReason };

/** One stream's side of a protocol: texts in, events out, and the texts that are to be sent. No socket. */
export interface RemoteCodec {
  /** To be sent when the connection is open. */
  readonly opening: string;
  /** Audio may be sent right after opening, without a `ready`. */
  readonly readyAtOpen: boolean;
  /** A binary message with so many samples (s16le, 8 kHz) was sent. */
  sent(samples: number): void;
  /** @returns the text that ends the stream; the server answers with its last words */
  finish(): string;
  /** Never throws. */
  receive(text: string): readonly RemoteEvent[];
}

/** What a channel asks of the server. */
export interface StreamSettings {
  readonly maxDelayMs: number | null;
  readonly phrases: readonly VocabularyPhrase[];
}

/** What the engine must know of a protocol. */
export interface RemoteProtocol {
  readonly name: string;
  /** `taken` comes after recognition, and the words of what was taken with it. Otherwise it only says that audio arrived. */
  readonly takenIsRecognised: boolean;
  /** Silence to send at a gap, so that the last words become final. */
  flushSamples(settings: StreamSettings): number;
  /** A word is final when so much audio after its end was taken. */
  delaySamples(settings: StreamSettings): number;
  /** Headers of the opening request. @param key ASR_KEY, or null */
  headers(key: string | null): Readonly<Record<string, string>>;
  codec(settings: StreamSettings): RemoteCodec;
}

/** Confidence of a word whose server gives none. */
export const UNKNOWN_CONFIDENCE = 0.5;
