import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  EarshotError,
  type ModelChoice,
  modelFiles,
  type ModelStatus,
  parseModelChoice,
  parseModelStatus,
} from '@earshot/contracts';
import { readIfThere, writeWhole } from '@earshot/platform';

/** Which model is to serve, as the command writes it and host reads it; and what host says of it. */
export class ChoiceFile {
  readonly #dataDir: string;

  constructor(dataDir: string) {
    this.#dataDir = dataDir;
  }

  /** Nothing was chosen, or what was is damaged: the shipped model, no shadow. */
  async read(): Promise<ModelChoice> {
    const text = await readIfThere(join(this.#dataDir, modelFiles.choice));
    return (text === null ? null : parseModelChoice(text)) ?? { use: null, shadow: null, changedAt: '' };
  }

  /** @throws EarshotError DATA_DIR_UNUSABLE */
  async change(change: Partial<Pick<ModelChoice, 'use' | 'shadow'>>, now: Date): Promise<ModelChoice> {
    const choice: ModelChoice = { ...(await this.read()), ...change, changedAt: now.toISOString() };
    try {
      await mkdir(this.#dataDir, { recursive: true });
      await writeWhole(join(this.#dataDir, modelFiles.choice), `${JSON.stringify(choice, null, 2)}\n`);
    } catch (error) {
      throw new EarshotError('DATA_DIR_UNUSABLE', (error as Error).message, { cause: error });
    }
    return choice;
  }

  /** What host said last; null when none ever ran here. */
  async status(): Promise<ModelStatus | null> {
    const text = await readIfThere(join(this.#dataDir, modelFiles.status));
    return text === null ? null : parseModelStatus(text);
  }

  /** Whether an Earshot runs with this DATA_DIR now. */
  async running(): Promise<boolean> {
    const pid = Number((await readIfThere(join(this.#dataDir, 'host.pid'))) ?? '0');
    if (!Number.isInteger(pid) || pid <= 0) return false;
    try {
      return process.kill(pid, 0);
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'EPERM';
    }
  }
}
