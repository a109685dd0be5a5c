import { EarshotError } from '@earshot/contracts';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** @returns the file's path @throws EarshotError MODEL_MISSING that names it */
export function requireFile(folder: string, name: string): string {
  const path = join(folder, name);
  if (!existsSync(path))
    throw new EarshotError('MODEL_MISSING', `${name} is not in the model's folder, ${folder}`);
  return path;
}
