import { EarshotError } from '@earshot/contracts';
import type { ConfidenceMapping } from '../decode/confidence.ts';
import type { Settings } from './model.ts';

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
export function textOr(settings: Settings, name: string, or: string): string {
  const value = settings[name] === undefined ? or : settings[name];
  if (typeof value !== 'string' || value === '') {
    throw new EarshotError('MODEL_INVALID', `model.json: ${name} is not a text`);
  }
  return value;
}

/** One of the choices; `or` when the setting is not there. @throws EarshotError MODEL_INVALID */
export function choiceOr<T extends string>(
  settings: Settings,
  name: string,
  or: T,
  choices: readonly T[],
): T {
  const value = settings[name];
  if (value === undefined) return or;
  const choice = choices.find((candidate) => candidate === value);
  if (choice === undefined) {
    throw new EarshotError('MODEL_INVALID', `model.json: ${name} is none of ${choices.join(', ')}`);
  }
  return choice;
}

const WEIGHTS = ['bias', 'mean', 'min', 'letters', 'pace'] as const;

/** The model's calibration of confidence, or null. @throws EarshotError MODEL_INVALID */
export function confidenceMapping(settings: Settings): ConfidenceMapping | null {
  const value = settings['confidence'];
  if (value === undefined || value === null) return null;
  const weights = value as Readonly<Record<string, unknown>>;
  for (const name of WEIGHTS) {
    if (typeof weights[name] !== 'number' || !Number.isFinite(weights[name])) {
      throw new EarshotError('MODEL_INVALID', `model.json: confidence.${name} is not a number`);
    }
  }
  return value as ConfidenceMapping;
}
