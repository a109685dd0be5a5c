import { readFile } from 'node:fs/promises';

const TICKS_PER_SECOND = 100; // USER_HZ is 100 on every Linux architecture that Node supports

/** CPU seconds (user and system, threads included) of a process so far; null when it has gone. */
export async function cpuSeconds(pid: number): Promise<number | null> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  if (stat === null) return null;
  // Fields after the command name, which may hold spaces: utime is the 14th, stime the 15th of the line.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** The workspace of one of our processes, or `postgres`; null for others. */
async function nameOf(pid: number): Promise<string | null> {
  const line = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ');
  const ours = /([a-z-]+)\/main\.ts/.exec(line)?.[1];
  return ours ?? (line.includes('postgres') ? 'postgres' : null);
}

async function descendants(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  const children = text.trim().split(/\s+/).filter(Boolean).map(Number);
  return [...children, ...(await Promise.all(children.map(descendants))).flat()];
}

/** CPU seconds by kind of process, of a process and all below it, at this moment. */
export async function cpuByProcess(root: number): Promise<Map<string, number>> {
  const byName = new Map<string, number>();
  for (const pid of [root, ...(await descendants(root))]) {
    const [name, seconds] = await Promise.all([nameOf(pid), cpuSeconds(pid)]);
    if (name !== null && seconds !== null) byName.set(name, (byName.get(name) ?? 0) + seconds);
  }
  return byName;
}

/** Packets that the kernel dropped, for each UDP socket bound in the range of ports now (/proc/net/udp, last column). */
export async function kernelDrops(minPort: number, maxPort: number): Promise<Map<number, number>> {
  const drops = new Map<number, number>();
  const table = (await readFile('/proc/net/udp', 'utf8')).trim().split('\n').slice(1);
  for (const row of table) {
    const columns = row.trim().split(/\s+/);
    const port = parseInt(columns[1]?.split(':')[1] ?? '0', 16);
    if (port >= minPort && port <= maxPort) drops.set(port, Number(columns.at(-1)));
  }
  return drops;
}
