import {
  type CallId,
  catalogue,
  type ErrorCode,
  type FromCommands,
  type ToCommands,
} from '@earshot/contracts';
import type { CallDocument } from '../document/call.ts';
import type { LogItem, Outcome } from '../log/items.ts';
import type { Engines } from './engines.ts';
import type { Pauses } from './pauses.ts';
import { ReviseParts } from './revise-parts.ts';
import type { Vocabulary } from './vocabulary.ts';

export interface CommandsDeps {
  readonly engines: Engines;
  readonly vocabulary: Vocabulary;
  readonly pauses: Pauses;
  withCall(callId: CallId, use: (call: CallDocument) => void): void;
  /** Queues a change of the log. */
  add(item: LogItem, settled: (outcome: Outcome) => void): void;
}

type Answer = (message: FromCommands) => void;

/** The commands arrow: everyone else's way to change what transcripts writes. */
export class Commands {
  readonly #deps: CommandsDeps;
  readonly #parts = new ReviseParts();

  constructor(deps: CommandsDeps) {
    this.#deps = deps;
  }

  receive(message: ToCommands, answer: Answer): void {
    const { id } = message;
    switch (message.type) {
      case 'recording.ready':
        this.#write({ kind: 'recording', callId: message.callId, recording: message.recording }, id, answer);
        break;
      case 'vocabulary.put':
        void this.#deps.vocabulary
          .put(message.name, message.phrases)
          .then((outcome) => settle(outcome, id, answer));
        break;
      case 'vocabulary.delete':
        void this.#deps.vocabulary.delete(message.name).then((outcome) => settle(outcome, id, answer));
        break;
      case 'call.finalise':
        this.#finalise(message.callId, id, answer);
        break;
      case 'call.pause':
        this.#pause(message.callId, message.paused, id, answer);
        break;
      case 'channel.correct':
        this.#correct(message, answer);
        break;
      case 'transcript.revise':
        this.#revise(message, answer);
        break;
    }
  }

  #finalise(callId: CallId, id: number, answer: Answer): void {
    this.#deps.withCall(callId, (call) => {
      if (!call.known) return settle({ done: false, code: 'CALL_NOT_FOUND' }, id, answer);
      if (call.endedAtMs !== null) return settle({ done: false, code: 'CALL_NOT_LIVE' }, id, answer);
      for (const { channel } of call.channels.values()) this.#deps.engines.finalise(channel);
      settle({ done: true }, id, answer);
    });
  }

  #pause(callId: CallId, paused: boolean, id: number, answer: Answer): void {
    this.#deps.withCall(callId, (call) => {
      if (!call.known) return settle({ done: false, code: 'CALL_NOT_FOUND' }, id, answer);
      if (call.endedAtMs !== null) return settle({ done: false, code: 'CALL_NOT_LIVE' }, id, answer);
      if (call.paused === paused && !this.#deps.pauses.has(callId)) return settle({ done: true }, id, answer);
      this.#deps.pauses.ask(callId, paused, (outcome) => settle(outcome, id, answer));
    });
  }

  #correct(message: Extract<ToCommands, { type: 'channel.correct' }>, answer: Answer): void {
    const { id, callId, index, role, participant, by } = message;
    const correction = { index, role, participant, by };
    this.#deps.withCall(callId, (call) =>
      this.#deps.add({ kind: 'corrected', callId, correction }, (outcome) => {
        if (outcome.done) call.correct(correction);
        settle(outcome, id, answer);
      }),
    );
  }

  #revise(message: Extract<ToCommands, { type: 'transcript.revise' }>, answer: Answer): void {
    const { id, callId, retranscription, model, vocabulary } = message;
    const segments = this.#parts.take(message);
    if (segments === 'taken') return settle({ done: true }, id, answer);
    if (segments === 'missing') return settle({ done: false, code: 'NOT_READY' }, id, answer);
    this.#write({ kind: 'revised', callId, retranscription, model, vocabulary, segments }, id, answer);
  }

  #write(item: LogItem, id: number, answer: Answer): void {
    this.#deps.add(item, (outcome) => settle(outcome, id, answer));
  }
}

function settle(
  outcome: { readonly done: true } | { readonly done: false; readonly code: ErrorCode },
  id: number,
  answer: Answer,
): void {
  if (outcome.done) answer({ type: 'done', id });
  else answer({ type: 'refused', id, code: outcome.code, message: catalogue[outcome.code].title });
}
