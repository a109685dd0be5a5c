/** Keeps, while a browser signs in, which page it had asked for. */
export const RETURN_COOKIE = 'earshot_return';
export const RETURN_MS = 15 * 60 * 1000;

/**
 * A page of ours to go to after signing in: the list of calls (with its search) or one call. Anything else, other
 * sites above all, becomes the list.
 */
export function returnPath(asked: string | undefined): string {
  const base = 'http://earshot.invalid';
  if (asked === undefined || !asked.startsWith('/') || !URL.canParse(asked, base)) return '/';
  const url = new URL(asked, base);
  const ours = url.origin === base && /^\/(calls\/[\w.%-]+)?$/.test(url.pathname);
  return ours ? url.pathname + url.search : '/';
}
