/**
 * How `npm run model` and host speak of models: three files below DATA_DIR, each written whole beside its place and
 * renamed. The command writes the choice, host alone writes the status.
 */
export const modelFiles = {
  choice: 'model-choice.json',
  status: 'model-status.json',
  /** Folder of the models that were added, one folder each. */
  models: 'models',
  /** Folder of what shadow models said of live calls: `<model>.jsonl`, one line a call. */
  shadow: 'shadow',
} as const;

export interface ModelChoice {
  /** Folder of the model (relative ones lie below DATA_DIR) or the URL of an engine; null: the shipped model. */
  readonly use: string | null;
  /** Folder of a model that runs on live spools beside the serving one, without being shown; null: none. */
  readonly shadow: string | null;
  /** ISO time of the change; also how a status says which choice it is about. */
  readonly changedAt: string;
}

export interface ModelStatus {
  /**
   * `serving`: as chosen. `checking`: a chosen model is tried in a process of its own. `swapping`: engines are replaced one by
   * one. `refused`: the chosen model cannot be used, message says why, the one before it serves. `stopped`: host ended.
   */
  readonly state: 'serving' | 'checking' | 'swapping' | 'refused' | 'stopped';
  /** What serves, as in ModelChoice. */
  readonly use: string | null;
  /** `environment`: ASR_MODEL names it, and no choice changes it. */
  readonly chosenBy: 'environment' | 'choice' | 'default';
  /** changedAt of the choice that this is about; null when there is none. */
  readonly choice: string | null;
  readonly engines: readonly EngineStatus[];
  readonly shadow: ShadowStatus | null;
  readonly message: string | null;
  readonly at: string;
}

export interface EngineStatus {
  readonly engine: number;
  readonly pid: number | null;
  /** The model's own name, once the engine is ready. */
  readonly model: string | null;
}

export interface ShadowStatus {
  readonly use: string;
  readonly state: 'starting' | 'running' | 'refused';
  readonly model: string | null;
  readonly message: string | null;
}

/** @returns the choice, or null when text is not one */
export function parseModelChoice(text: string): ModelChoice | null {
  const value = objectOf(text);
  if (value === null || typeof value['changedAt'] !== 'string') return null;
  const use = textOrNull(value['use']);
  const shadow = textOrNull(value['shadow']);
  return use === undefined || shadow === undefined ? null : { use, shadow, changedAt: value['changedAt'] };
}

/** @returns the status, or null when text is not one */
export function parseModelStatus(text: string): ModelStatus | null {
  const value = objectOf(text);
  const whole = value !== null && typeof value['state'] === 'string' && Array.isArray(value['engines']);
  return whole ? (value as unknown as ModelStatus) : null;
}

function objectOf(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

const textOrNull = (value: unknown): string | null | undefined =>
  value === undefined || value === null || value === ''
    ? null
    : typeof value === 'string'
      ? value
      : undefined;
