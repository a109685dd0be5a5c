import type { RemoteCodec, RemoteEvent, RemoteProtocol, RemoteWord } from './protocol.ts';
import {
  type JsonObject,
  WordReader,
  asArray,
  asObject,
  ignored,
  objectOf,
  spread,
  textOf,
} from './wire-json.ts';

/** Vosk compares this text letter by letter, blanks included; anything else it takes for audio (asr_server.py). */
const END_OF_FILE = '{"eof" : 1}';
/** Kaldi ends an utterance after 2 s of silence at the latest (rule 4 of its endpointing), sooner where words end clearly. */
const FLUSH_SAMPLES = 2 * 8000;
/** A word shows in a partial this long after it began, with the largest models. */
const DELAY_SAMPLES = 2 * 8000;
/** A word is in the first partial about so long after it began. */
const PARTIAL_LAG_SAMPLES = 4000;
/** Grammar mode's word for what is none. */
const UNKNOWN_WORDS = new Set(['[unk]', '<unk>']);

/**
 * The WebSocket protocol of alphacep/vosk-server (websocket/asr_server.py): a text with the configuration, then binary audio, each
 * message of which is answered by one text once it went through the recogniser: `partial`, or `text` and `result` when
 * the server's own endpointing ended an utterance. `phrase_list` is never sent: it is a grammar that forbids all other
 * words, not a preference. There is no way to limit the delay.
 */
export const vosk: RemoteProtocol = {
  name: 'vosk',
  takenIsRecognised: true,
  flushSamples: () => FLUSH_SAMPLES,
  delaySamples: () => DELAY_SAMPLES,
  // asr_server.py checks no key; a proxy in front of it may.
  headers: (key): Readonly<Record<string, string>> =>
    key === null ? {} : { authorization: `Bearer ${key}` },
  codec: () => new VoskCodec(),
};

class VoskCodec implements RemoteCodec {
  readonly opening = '{"config" : {"sample_rate" : 8000, "words" : true, "max_alternatives" : 0}}';
  readonly readyAtOpen = true;
  readonly #reader = new WordReader();
  /** Stream position after each message that was not yet answered. */
  readonly #unanswered: number[] = [];
  #taken = 0;
  #finishing = false;
  /** Where the words of the open partial begin; null when it is empty. */
  #onset: number | null = null;

  sent(samples: number): void {
    this.#reader.sentSamples += samples;
    this.#unanswered.push(this.#reader.sentSamples);
  }

  finish(): string {
    this.#finishing = true;
    return END_OF_FILE;
  }

  receive(text: string): readonly RemoteEvent[] {
    const message = objectOf(text);
    if (message === null) return [ignored('json')];
    const isPartial = typeof message['partial'] === 'string';
    if (!isPartial && typeof message['text'] !== 'string') return [ignored('type')];
    const position = this.#unanswered.shift();
    if (position === undefined && !this.#finishing) return [ignored('order')];
    const before = this.#taken;
    this.#taken = position ?? this.#taken;
    const events: RemoteEvent[] = [
      isPartial
        ? { kind: 'partial', words: this.#partial(message, before) }
        : { kind: 'final', words: this.#final(message, before), uptoSample: null },
      ...this.#reader.takeFaults(),
      // After its words: what is taken is settled by them.
      { kind: 'taken', uptoSample: this.#taken },
    ];
    if (position === undefined) events.push({ kind: 'finished' });
    return events;
  }

  /** Partials have no times unless the server was told otherwise: the words share what was heard of them. */
  #partial(message: JsonObject, before: number): readonly RemoteWord[] {
    const timed = this.#timed(message['partial_result']);
    if (timed.length > 0) return timed;
    return this.#untimed(textOf(message['partial']), before);
  }

  #final(message: JsonObject, before: number): readonly RemoteWord[] {
    const timed = this.#timed(message['result']);
    const faulty = this.#reader.faults.length > 0;
    // A server that was started without words (VOSK_SHOW_WORDS) says the text alone.
    const words = timed.length > 0 || faulty ? timed : this.#untimed(textOf(message['text']), before);
    this.#reader.finalSample = Math.max(this.#reader.finalSample, words.at(-1)?.endSample ?? 0);
    this.#onset = null;
    return words;
  }

  #timed(result: unknown): RemoteWord[] {
    return asArray(result).flatMap((item) => {
      const word = asObject(item);
      if (word === null || UNKNOWN_WORDS.has(textOf(word['word']))) return [];
      return this.#reader.words(word['word'], word['start'], word['end'], word['conf']);
    });
  }

  #untimed(text: string, before: number): RemoteWord[] {
    const texts = text
      .toLowerCase()
      .split(/\s+/)
      .filter((part) => part !== '' && !UNKNOWN_WORDS.has(part) && part.length <= 100);
    if (texts.length === 0) {
      this.#onset = null;
      return [];
    }
    this.#onset ??= Math.max(this.#reader.finalSample, before - PARTIAL_LAG_SAMPLES, 0);
    return spread(texts, Math.min(this.#onset, this.#taken), this.#taken, null);
  }
}
