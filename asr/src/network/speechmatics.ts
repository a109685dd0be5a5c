import type {
  RefusalReason,
  RemoteCodec,
  RemoteEvent,
  RemoteProtocol,
  RemoteWord,
  StreamSettings,
} from './protocol.ts';
import { type JsonObject, WordReader, asArray, asObject, ignored, objectOf, textOf } from './wire-json.ts';

/** What Speechmatics recommends for contact centres (its page on real-time output). It takes 0.7 to 4 s. */
const DEFAULT_MAX_DELAY_S = 2;
const LEAST_MAX_DELAY_S = 0.7;
const MOST_MAX_DELAY_S = 4;
/** Silence that ends an utterance; it is to be shorter than the delay. */
const UTTERANCE_SILENCE_S = 0.6;
/** Its custom dictionary takes at most so many entries. */
const MOST_PHRASES = 1000;

/** Error types (its API reference, Error) that are not worth trying again soon. All others are `link`. */
const REASONS: Readonly<Record<string, RefusalReason>> = {
  not_authorised: 'key',
  insufficient_funds: 'key',
  not_allowed: 'key',
  invalid_model: 'settings',
  invalid_config: 'settings',
  invalid_audio_type: 'settings',
  invalid_output_format: 'settings',
  quota_exceeded: 'full',
  timelimit_exceeded: 'full',
  job_error: 'full',
};

/** Messages that say nothing of words. */
const UNUSED = new Set(['Info', 'Warning', 'AudioEventStarted', 'AudioEventEnded', 'SpeakersResult']);

const delaySeconds = ({ maxDelayMs }: StreamSettings): number =>
  maxDelayMs === null
    ? DEFAULT_MAX_DELAY_S
    : Math.min(MOST_MAX_DELAY_S, Math.max(LEAST_MAX_DELAY_S, maxDelayMs / 1000));

/**
 * The real-time API of Speechmatics, version 2 (its API reference, "Realtime"): StartRecognition, then binary AddAudio, each
 * answered by AudioAdded when it arrived; AddPartialTranscript and AddTranscript with times in seconds of the stream;
 * EndOfStream answered by EndOfTranscript after the last words.
 */
export const speechmatics = (language: string, operatingPoint: string | null): RemoteProtocol => ({
  name: 'speechmatics',
  takenIsRecognised: false,
  flushSamples: (settings) => Math.round((delaySeconds(settings) + 1) * 8000),
  delaySamples: (settings) => Math.round((delaySeconds(settings) + 1) * 8000),
  headers: (key): Readonly<Record<string, string>> =>
    key === null ? {} : { authorization: `Bearer ${key}` },
  codec: (settings) => new SpeechmaticsCodec(startRecognition(language, operatingPoint, settings)),
});

function startRecognition(language: string, operatingPoint: string | null, settings: StreamSettings): string {
  const maxDelay = delaySeconds(settings);
  const phrases = settings.phrases.slice(0, MOST_PHRASES);
  return JSON.stringify({
    message: 'StartRecognition',
    audio_format: { type: 'raw', encoding: 'pcm_s16le', sample_rate: 8000 },
    transcription_config: {
      language,
      ...(operatingPoint === null ? {} : { operating_point: operatingPoint }),
      max_delay: maxDelay,
      enable_partials: true,
      // The call log wants words as they were spoken: entities carry them beside what they are written as.
      enable_entities: true,
      conversation_config: {
        end_of_utterance_silence_trigger: Math.min(UTTERANCE_SILENCE_S, maxDelay - 0.1),
      },
      ...(phrases.length === 0 ? {} : { additional_vocab: phrases.map(({ text }) => ({ content: text })) }),
    },
  });
}

class SpeechmaticsCodec implements RemoteCodec {
  readonly opening: string;
  readonly readyAtOpen = false;
  readonly #reader = new WordReader();
  /** Stream position after each AddAudio that was not yet acknowledged; the first has number #taken + 1. */
  readonly #unacknowledged: number[] = [];
  #taken = 0;
  #sent = 0;

  constructor(opening: string) {
    this.opening = opening;
  }

  sent(samples: number): void {
    this.#sent++;
    this.#reader.sentSamples += samples;
    this.#unacknowledged.push(this.#reader.sentSamples);
  }

  finish(): string {
    return JSON.stringify({ message: 'EndOfStream', last_seq_no: this.#sent });
  }

  receive(text: string): readonly RemoteEvent[] {
    const message = objectOf(text);
    if (message === null) return [ignored('json')];
    const name = message['message'];
    switch (name) {
      case 'RecognitionStarted':
        return [{ kind: 'ready' }];
      case 'AudioAdded':
        return [this.#added(message['seq_no'])];
      case 'AddPartialTranscript':
        return [{ kind: 'partial', words: this.#words(message) }, ...this.#reader.takeFaults()];
      case 'AddTranscript':
        return this.#final(message);
      case 'EndOfUtterance':
        return [{ kind: 'utterance' }];
      case 'EndOfTranscript':
        return [{ kind: 'finished' }];
      case 'Error': {
        const type = textOf(message['type']);
        return [{ kind: 'refused', reason: REASONS[type] ?? 'link', type: type.slice(0, 40) }];
      }
      default:
        return typeof name === 'string' && UNUSED.has(name) ? [] : [ignored('type')];
    }
  }

  #added(seqNo: unknown): RemoteEvent {
    const count = Number(seqNo) - this.#taken;
    if (typeof seqNo !== 'number' || !Number.isInteger(count)) return ignored('field');
    if (count < 1 || count > this.#unacknowledged.length) return ignored('order');
    this.#taken = seqNo;
    const uptoSample = this.#unacknowledged.splice(0, count).at(-1)!;
    return { kind: 'taken', uptoSample };
  }

  #final(message: JsonObject): readonly RemoteEvent[] {
    const words = this.#words(message);
    const endS = asObject(message['metadata'])?.['end_time'];
    const end =
      typeof endS === 'number' && endS >= 0
        ? Math.min(Math.round(endS * 8000), this.#reader.sentSamples)
        : null;
    this.#reader.finalSample = Math.max(this.#reader.finalSample, words.at(-1)?.endSample ?? 0);
    return [{ kind: 'final', words, uptoSample: end }, ...this.#reader.takeFaults()];
  }

  #words(message: JsonObject): RemoteWord[] {
    return asArray(message['results']).flatMap((item) => this.#item(asObject(item)));
  }

  #item(item: JsonObject | null): RemoteWord[] {
    if (item?.['type'] === 'entity') {
      const spoken = asArray(item['spoken_form']);
      if (spoken.length > 0) return spoken.flatMap((word) => this.#word(asObject(word)));
    }
    return this.#word(item);
  }

  #word(item: JsonObject | null): RemoteWord[] {
    if (item === null || item['type'] === 'punctuation') return [];
    const best = asObject(asArray(item['alternatives'])[0]);
    return this.#reader.words(best?.['content'], item['start_time'], item['end_time'], best?.['confidence']);
  }
}
