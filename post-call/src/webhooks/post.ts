import type { LookupFunction } from 'node:net';
import { Client } from 'undici';
import { isEarshotError } from '@earshot/contracts';
import { parseRetryAfter } from './schedule.ts';
import { type Resolve, targetOf } from './addresses.ts';

/** A response is read no further than this, only to let the connection end well. */
const MAX_RESPONSE_BYTES = 64 * 1024;

export interface PostLimits {
  /** Each for the connection, the headers and a pause in the body, ms. */
  readonly stepMs: number;
  /** For everything, ms: a receiver that sends a byte a second is slow too. */
  readonly totalMs: number;
}
export const STANDARD_LIMITS: PostLimits = { stepMs: 15_000, totalMs: 45_000 };

export type PostResult =
  | { readonly kind: 'answered'; readonly status: number; readonly retryAfterMs: number | null }
  /** No answer. `error` is a code or a constant text, without anything of the message. */
  | { readonly kind: 'unanswered'; readonly error: string }
  /** The address is one that webhooks may not go to. */
  | { readonly kind: 'refused'; readonly error: string };

export interface PostOptions {
  readonly url: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly allowLoopback: boolean;
  readonly limits: PostLimits;
  readonly resolve?: Resolve;
}

/**
 * One POST to a webhook. The name is resolved once, and the connection goes to the address that was checked. Redirects
 * are not followed: they would be a way around the check.
 */
export async function post(options: PostOptions): Promise<PostResult> {
  let client: Client | null = null;
  try {
    const { stepMs, totalMs } = options.limits;
    const target = targetOf(options.url, options.allowLoopback, options.resolve);
    const { url, address, family } = await within(stepMs, target);
    const pinned: LookupFunction = (_hostname, lookupOptions, callback) => {
      if (lookupOptions.all === true) callback(null, [{ address, family }]);
      else callback(null, address, family);
    };
    client = new Client(url.origin, {
      connect: { lookup: pinned, timeout: stepMs },
      headersTimeout: stepMs,
      bodyTimeout: stepMs,
      pipelining: 1,
    });
    const signal = AbortSignal.timeout(totalMs);
    const response = await client.request({
      path: `${url.pathname}${url.search}`,
      method: 'POST',
      headers: options.headers,
      body: options.body,
      signal,
    });
    const retryAfter = response.headers['retry-after'];
    const retryAfterMs = parseRetryAfter(Array.isArray(retryAfter) ? retryAfter[0] : retryAfter, Date.now());
    await drainBody(response.body);
    return { kind: 'answered', status: response.statusCode, retryAfterMs };
  } catch (error) {
    if (isEarshotError(error)) return { kind: 'refused', error: error.message };
    return { kind: 'unanswered', error: reasonOf(error) };
  } finally {
    await client?.destroy();
  }
}

/** The resolver has no limit of its own that we could set. */
async function within<T>(limitMs: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const error = Object.assign(new Error('the name was not resolved in time'), { code: 'EDNSTIMEOUT' });
    timer = setTimeout(() => reject(error), limitMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The status is the answer; a body that breaks off, hangs or never ends changes nothing about it. */
async function drainBody(body: AsyncIterable<Buffer>): Promise<void> {
  let bytes = 0;
  try {
    for await (const chunk of body) {
      bytes += chunk.length;
      if (bytes > MAX_RESPONSE_BYTES) return;
    }
  } catch (_error) {
    return;
  }
}

function reasonOf(error: unknown): string {
  const { code, name } = error as { code?: unknown; name?: unknown };
  if (typeof code === 'string') return code;
  return typeof name === 'string' ? name : 'unknown';
}
