import { cpus, loadavg, totalmem } from 'node:os';

/** What a figure depends on. */
export const machine = () => ({
  cpu: cpus()[0]?.model.trim() ?? 'unknown',
  cores: cpus().length,
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  node: process.version,
});

/** Mean number of processes that ran or wanted to in the last 1 and 5 minutes (Linux): what else the machine did. */
export const load = (): { oneMinute: number; fiveMinutes: number } => {
  const [oneMinute = NaN, fiveMinutes = NaN] = loadavg();
  return { oneMinute, fiveMinutes };
};

export const progress = (line: string): void => void process.stderr.write(`${line}\n`);
