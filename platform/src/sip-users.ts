import type { Faults } from './settings.ts';

/** Who may call, where calls are authenticated. */
export interface SipUser {
  readonly name: string;
  readonly password: string;
}

/**
 * Users from `user:password` entries; empty ones and those that begin with # are left out. A fault names the place of an entry and
 * never what is in it.
 * @param source the setting or file, for the fault
 */
export function readSipUsers(source: string, entries: readonly string[], faults: Faults): SipUser[] {
  const users: SipUser[] = [];
  for (const [index, entry] of entries.entries()) {
    const text = entry.trim();
    if (text === '' || text.startsWith('#')) continue;
    const colon = text.indexOf(':');
    if (colon < 1 || colon === text.length - 1) {
      faults.push(`${source}: entry ${index + 1} is not user:password`);
      continue;
    }
    users.push({ name: text.slice(0, colon), password: text.slice(colon + 1) });
  }
  return users;
}
