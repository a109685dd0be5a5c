import { createHmac } from 'node:crypto';

const PREFIX = 'whsec_';

/**
 * The webhook-signature header of Standard Webhooks 1.0.0 (symmetric, v1): base64 of HMAC-SHA256 over
 * `id.timestamp.body` with the key after whsec_.
 *
 * @param secret `whsec_` and base64 of 24 to 64 bytes @param timestampS seconds since 1970
 */
export function signatureOf(secret: string, id: string, timestampS: number, body: string): string {
  const key = Buffer.from(secret.startsWith(PREFIX) ? secret.slice(PREFIX.length) : secret, 'base64');
  return `v1,${createHmac('sha256', key).update(`${id}.${timestampS}.${body}`).digest('base64')}`;
}
