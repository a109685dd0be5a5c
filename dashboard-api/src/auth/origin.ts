/**
 * Whether a browser's Origin header names this site: the host that the request was sent to, or PUBLIC_URL's origin
 * (behind a proxy the two differ). An opaque or missing origin is another site.
 */
export function isOwnOrigin(
  origin: string | undefined,
  host: string | undefined,
  publicUrl: string | null,
): boolean {
  if (origin === undefined || !URL.canParse(origin)) return false;
  const url = new URL(origin);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return false;
  if (publicUrl !== null && url.origin === new URL(publicUrl).origin) return true;
  return host !== undefined && url.host === host.toLowerCase();
}
