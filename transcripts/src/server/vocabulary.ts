import type { VocabularyList, VocabularyPhrase } from '@earshot/contracts';
import type { Log, Pool } from '@earshot/platform';
import { deleteVocabulary, loadVocabulary, putVocabulary } from '../log/vocabulary.ts';

export type VocabularyOutcome =
  | { readonly done: true }
  | {
      readonly done: false;
      readonly code: 'VOCABULARY_LIMIT' | 'VOCABULARY_NOT_FOUND' | 'DATABASE_UNREACHABLE';
    };

export interface VocabularyOptions {
  readonly pool: Pool;
  readonly log: Log;
  /** Wall clock, ms since 1970. */
  readonly wallMs: () => number;
  /** All lists, as they are now. */
  readonly changed: (lists: readonly VocabularyList[]) => void;
}

/** The vocabulary: changes go into the database one after the other, and all lists out again after each. */
export class Vocabulary {
  readonly #options: VocabularyOptions;
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: VocabularyOptions) {
    this.#options = options;
  }

  /** @throws what the database throws */
  async load(): Promise<void> {
    this.#options.changed(await loadVocabulary(this.#options.pool));
  }

  put(name: string, phrases: readonly VocabularyPhrase[]): Promise<VocabularyOutcome> {
    const { pool, wallMs } = this.#options;
    return this.#change(async () =>
      (await putVocabulary(pool, name, phrases, new Date(wallMs())))
        ? { done: true }
        : { done: false, code: 'VOCABULARY_LIMIT' },
    );
  }

  delete(name: string): Promise<VocabularyOutcome> {
    return this.#change(async () =>
      (await deleteVocabulary(this.#options.pool, name))
        ? { done: true }
        : { done: false, code: 'VOCABULARY_NOT_FOUND' },
    );
  }

  /** Waits for changes that are on their way. */
  async drain(): Promise<void> {
    await this.#last;
  }

  #change(change: () => Promise<VocabularyOutcome>): Promise<VocabularyOutcome> {
    const outcome = this.#last.then(async (): Promise<VocabularyOutcome> => {
      try {
        const done = await change();
        if (done.done) await this.load();
        return done;
      } catch (error) {
        this.#options.log.warn({ err: error }, 'vocabulary not written');
        return { done: false, code: 'DATABASE_UNREACHABLE' };
      }
    });
    this.#last = outcome;
    return outcome;
  }
}
