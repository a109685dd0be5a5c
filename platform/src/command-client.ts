import type { Command, FromCommands, ToCommands } from '@earshot/contracts';
import { Dialer } from './ipc/index.ts';

/** transcripts did not take a command; `code` is one of the error catalogue. */
export class CommandError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.name = 'CommandError';
    this.code = code;
  }
}

interface Waiting {
  readonly command: ToCommands;
  readonly done: () => void;
  readonly failed: (error: Error) => void;
  timer: NodeJS.Timeout;
}

/** transcripts may be away for as long as its database is; then whoever asked tries again. */
const ANSWER_LIMIT_MS = 60_000;

/** Commands to transcripts, the one writer of the call log. All are idempotent: sent again when the link is back. */
export class CommandClient {
  readonly #dialer: Dialer<FromCommands, ToCommands>;
  readonly #waiting = new Map<number, Waiting>();
  readonly #answerLimitMs: number;
  #nextId = 1;

  constructor(path: string, answerLimitMs = ANSWER_LIMIT_MS) {
    this.#answerLimitMs = answerLimitMs;
    this.#dialer = new Dialer<FromCommands, ToCommands>(path, {
      open: (connection) => {
        for (const { command } of this.#waiting.values()) connection.send(command);
      },
      message: (message) => this.#answered(message),
      lost: () => undefined,
    });
  }

  /** Resolves when the change is committed. @throws CommandError when it is refused or not answered in time */
  send(command: Command): Promise<void> {
    const id = this.#nextId++;
    const message: ToCommands = { ...command, id };
    return new Promise<void>((done, failed) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        failed(new CommandError('NOT_READY', 'transcripts does not answer'));
      }, this.#answerLimitMs);
      this.#waiting.set(id, { command: message, done, failed, timer });
      this.#dialer.send(message);
    });
  }

  close(): void {
    for (const { timer, failed } of this.#waiting.values()) {
      clearTimeout(timer);
      failed(new CommandError('NOT_READY', 'this process is stopping'));
    }
    this.#waiting.clear();
    this.#dialer.close();
  }

  #answered(message: FromCommands): void {
    const waiting = this.#waiting.get(message.id);
    if (waiting === undefined) return;
    this.#waiting.delete(message.id);
    clearTimeout(waiting.timer);
    if (message.type === 'done') waiting.done();
    else waiting.failed(new CommandError(message.code, message.message));
  }
}
