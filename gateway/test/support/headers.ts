import type { InviteHeaders } from '../../src/dialects/index.ts';

/** Headers of an INVITE, by lower-case name. */
export const headersOf = (headers: Readonly<Record<string, string>>): InviteHeaders => ({
  header: (name) => headers[name.toLowerCase()] ?? null,
  entries: () => Object.entries(headers),
});
