import { appendFile, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { modelFiles } from '@earshot/contracts';
import { readIfThere } from '@earshot/platform';

/** What the shadow says of one call. No words: they are in the call log and nowhere else. */
export interface ShadowLine {
  /** ISO time. */
  readonly at: string;
  readonly callId: string;
  /** The shadow's model, and the one that served when the call ended. */
  readonly model: string;
  readonly serving: string;
  /** `skipped`: as many calls as it may follow were followed. `failed`: its audio or its finals could not be read. */
  readonly outcome: 'compared' | 'skipped' | 'failed';
  readonly reason?: string;
  /** Of the serving model. */
  readonly words: number;
  readonly shadowWords: number;
  /** Words substituted, inserted or deleted. */
  readonly differences: number;
  readonly audioSeconds: number;
  /** From a block's end of audio being in the spool to its being recognised, at most. */
  readonly maxLagSeconds: number;
  /** Seconds of audio for a second of the model's time, since the shadow began. */
  readonly speed: number;
}

export interface ShadowSummary {
  readonly model: string;
  readonly serving: string;
  readonly calls: number;
  readonly skipped: number;
  readonly failed: number;
  readonly words: number;
  readonly differences: number;
  /** Differences over the serving model's words. */
  readonly differenceRate: number;
  readonly maxLagSeconds: number;
  readonly speed: number;
  /** Of the last call. */
  readonly lastAt: string;
}

const fileOf = (model: string): string => `${model.replaceAll(/[^a-z0-9._-]/gi, '_').slice(0, 100)}.jsonl`;

/** Appends a line to DATA_DIR/shadow/<model>.jsonl. @throws system errors */
export async function writeShadowLine(dataDir: string, line: ShadowLine): Promise<void> {
  const folder = join(dataDir, modelFiles.shadow);
  await mkdir(folder, { recursive: true });
  await appendFile(join(folder, fileOf(line.model)), `${JSON.stringify(line)}\n`);
}

/** What all shadows said so far, by model and the model that served, the latest first. */
export async function shadowSummary(dataDir: string): Promise<ShadowSummary[]> {
  const folder = join(dataDir, modelFiles.shadow);
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const lines: ShadowLine[] = [];
  for (const name of names.filter((each) => each.endsWith('.jsonl'))) {
    const text = (await readIfThere(join(folder, name))) ?? '';
    lines.push(...text.split('\n').flatMap((line) => parsed(line) ?? []));
  }
  const groups = Object.values(Object.groupBy(lines, ({ model, serving }) => `${model}\n${serving}`));
  return groups.map((group) => summaryOf(group ?? [])).sort((a, b) => b.lastAt.localeCompare(a.lastAt));
}

export function summaryOf(lines: readonly ShadowLine[]): ShadowSummary {
  const compared = lines.filter(({ outcome }) => outcome === 'compared');
  const sum = (value: (line: ShadowLine) => number): number =>
    compared.reduce((total, line) => total + value(line), 0);
  const words = sum((line) => line.words);
  const differences = sum((line) => line.differences);
  const last = lines.at(-1);
  return {
    model: last?.model ?? '',
    serving: last?.serving ?? '',
    calls: compared.length,
    skipped: lines.filter(({ outcome }) => outcome === 'skipped').length,
    failed: lines.filter(({ outcome }) => outcome === 'failed').length,
    words,
    differences,
    differenceRate: words === 0 ? (differences === 0 ? 0 : 1) : differences / words,
    maxLagSeconds: Math.max(0, ...compared.map((line) => line.maxLagSeconds)),
    speed: compared.at(-1)?.speed ?? 0,
    lastAt: last?.at ?? '',
  };
}

function parsed(line: string): ShadowLine | null {
  if (line === '') return null;
  try {
    return JSON.parse(line) as ShadowLine;
  } catch {
    // A line that was cut when its writer died.
    return null;
  }
}
