import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

export interface SystemUser {
  readonly uid: number;
  readonly gid: number;
}

/** Users of the system that own nothing of worth, in order of preference. Never made by us. */
const UNPRIVILEGED = ['postgres', 'nobody', 'daemon'];

/**
 * PostgreSQL refuses to run as root: then an existing unprivileged user runs it. Null: run as we are.
 * @throws Error when root has no such user
 */
export async function postgresUser(): Promise<SystemUser | null> {
  if (process.getuid?.() !== 0) return null;
  const passwd = await readFile('/etc/passwd', 'utf8');
  for (const name of UNPRIVILEGED) {
    const fields = passwd
      .split('\n')
      .find((line) => line.startsWith(`${name}:`))
      ?.split(':');
    if (fields !== undefined) return { uid: Number(fields[2]), gid: Number(fields[3]) };
  }
  throw new Error(`none of the users ${UNPRIVILEGED.join(', ')} exists`);
}

/**
 * Where the server's files go: DATA_DIR/postgres, unless another user runs it and cannot get there (a home of mode
 * 0700): then a folder of its own below /var/lib, named by DATA_DIR's path.
 */
export async function postgresFolder(dataDir: string, user: SystemUser | null): Promise<string> {
  const wanted = resolve(dataDir, 'postgres');
  if (user === null) return wanted;
  for (let folder = dirname(wanted); ; folder = dirname(folder)) {
    const { mode } = await stat(folder);
    if ((mode & 0o001) === 0) {
      const name = createHash('sha256').update(resolve(dataDir)).digest('hex').slice(0, 12);
      return `/var/lib/earshot/${name}/postgres`;
    }
    if (folder === dirname(folder)) return wanted;
  }
}
