import { readFileSync } from 'node:fs';

/** @returns whether a signal has stopped the process (state T of proc(5)); false where that cannot be read */
export function isStopped(pid: number | undefined): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name before the state is in brackets and may hold anything.
    return stat[stat.lastIndexOf(')') + 2] === 'T';
  } catch (_error) {
    return false;
  }
}
