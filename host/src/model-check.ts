import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Model } from './engine-fleet.ts';

export type CheckResult =
  | { readonly kind: 'good'; readonly name: string }
  | { readonly kind: 'bad'; readonly code: string; readonly message: string; readonly action: string };

const LIMIT_MS = 120_000;
const MODEL_COMMAND = fileURLToPath(new URL('../../asr/model.ts', import.meta.url));
const MAX_OUTPUT = 1_000_000;

/** Reads and runs a model in a process of its own, which it may crash or fill with memory without harm to a call. */
export async function checkModel(model: Model, env: NodeJS.ProcessEnv): Promise<CheckResult> {
  const args = ['check', model ?? 'shipped', '--quick', '--json'];
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', '--disable-warning=DEP0112', MODEL_COMMAND, ...args],
    { env, stdio: ['ignore', 'pipe', 'ignore'], timeout: LIMIT_MS, killSignal: 'SIGKILL' },
  );
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    if (out.length < MAX_OUTPUT) out += text;
  });
  const ended = await new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(signal ?? `code ${code}`));
  });
  return resultOf(out) ?? bad(`the check of the model ended with ${ended}`);
}

interface Said {
  readonly ok?: unknown;
  readonly model?: { readonly name?: unknown };
  readonly error?: { readonly code?: unknown; readonly message?: unknown; readonly action?: unknown };
}

/** What the command printed; null when it is not what the command prints. */
function resultOf(out: string): CheckResult | null {
  let said: Said | null;
  try {
    said = JSON.parse(out) as Said | null;
  } catch {
    return null;
  }
  if (said?.ok === true && typeof said.model?.name === 'string') {
    return { kind: 'good', name: said.model.name };
  }
  const { code, message, action } = said?.error ?? {};
  if (typeof message !== 'string') return null;
  return { kind: 'bad', code: String(code), message, action: String(action) };
}

const bad = (message: string): CheckResult => ({
  kind: 'bad',
  code: 'MODEL_INVALID',
  message,
  action: 'Run npm run model -- check FOLDER and read what it says.',
});
