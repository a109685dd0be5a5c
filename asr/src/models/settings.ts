import { EarshotError } from '@earshot/contracts';

type Settings = Readonly<Record<string, unknown>>;

/** @throws EarshotError MODEL_INVALID that names the setting */
export function integerOf(settings: Settings, name: string, min: number, max: number): number {
  const value = settings[name];
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
    throw new EarshotError('MODEL_INVALID', `model.json: ${name} is not an integer from ${min} to ${max}`);
  }
  return value;
}

/** Like integerOf, with a value for a setting that is not there. */
export function integerOr(settings: Settings, name: string, or: number, min: number, max: number): number {
  return settings[name] === undefined ? or : integerOf(settings, name, min, max);
}

/** @throws EarshotError MODEL_INVALID that names the setting */
export function textOf(settings: Settings, name: string): string {
  const value = settings[name];
  if (typeof value !== 'string' || value === '') {
    throw new EarshotError('MODEL_INVALID', `model.json: ${name} is not a text`);
  }
  return value;
}

/** One of the choices; `or` when the setting is not there. @throws EarshotError MODEL_INVALID */
export function choiceOr(settings: Settings, name: string, or: string, choices: readonly string[]): string {
  const value = settings[name];
  if (value === undefined) return or;
  if (typeof value !== 'string' || !choices.includes(value)) {
    throw new EarshotError('MODEL_INVALID', `model.json: ${name} is none of ${choices.join(', ')}`);
  }
  return value;
}
