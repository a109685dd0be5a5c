import { monoUs } from '@earshot/contracts';
import type { ResponseOptions, SendResult, SipRequest } from './request.ts';
import type { SrfMessage, SrfRequest, SrfResponse } from './drachtio.ts';
import { seen, type Tap } from './tap.ts';

/** The server echoes what it sent; a reply that takes longer than this will not come (the link broke). */
const ECHO_LIMIT_MS = 5_000;

/**
 * Wraps a request of drachtio-srf. Header values that a device sent are passed on only through `oneLine`. @param tap sees it, its
 * answers and its CANCEL, if it is of a dialog or opens one
 */
export function wrapRequest(req: SrfRequest, res: SrfResponse, tap: Tap): SipRequest {
  const headers = new Map<string, string>();
  for (const [name, value] of Object.entries(req.headers)) {
    const key = name.toLowerCase();
    const before = headers.get(key);
    const text = String(value).replace(/\r\n[ \t]+/g, ' ');
    headers.set(key, before === undefined ? text : `${before},${text}`);
  }
  const callId = headers.get('call-id') ?? '';
  const fromTag = tagOf(headers.get('from') ?? '');
  const fromServer = req.source === 'application';
  const method = req.method.toUpperCase();
  const dialogId = req.stackDialogId || `${callId};from-tag=${fromTag ?? ''}`;
  const toTag = tagOf(headers.get('to') ?? '');
  const isTraced = method === 'INVITE' || toTag !== null || fromServer;
  if (isTraced) tap(seen(dialogId, fromServer ? 'out' : 'in', req.msg, req, req.receivedOn));
  if (method === 'INVITE') req.on('cancel', (cancel) => tap(seen(dialogId, 'in', cancel, req)));
  return {
    method,
    callId,
    dialogId,
    toTag,
    body: bodyOf(req.msg.raw ?? '', headers.get('content-length')),
    source: {
      address: (req.source_address ?? '').replace(/^\[|\]$/g, ''),
      port: req.source_port ?? 0,
      transport: req.protocol === 'tcp' || req.protocol === 'tls' ? req.protocol : 'udp',
    },
    receivedOn: receivedAddress(req.receivedOn),
    fromServer,
    header: (name) => headers.get(name.toLowerCase()) ?? null,
    entries: () => headers,
    respond: (status, options = {}) => {
      if (fromServer) return Promise.resolve('sent');
      const atUs = monoUs();
      return send(res, status, options, (sent) => {
        if (isTraced) tap(seen(dialogId, 'out', sent, res, null, atUs));
      });
    },
    onCancel: (listener) => req.on('cancel', listener),
  };
}

function send(
  res: SrfResponse,
  status: number,
  options: ResponseOptions,
  echoed: (sent: SrfMessage | undefined) => void,
): Promise<SendResult> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve('unknown'), ECHO_LIMIT_MS);
    const headers: Record<string, string> = {};
    for (const [name, value] of Object.entries(options.headers ?? {})) {
      // drachtio-srf would join a list with commas; it writes the value as it is, so further lines can be in it.
      headers[name] = [value].flat().map(oneLine).join(`\r\n${name}: `);
    }
    const reason = options.reason === undefined ? undefined : oneLine(options.reason);
    const payload = options.body === undefined ? { headers } : { headers, body: options.body };
    res.send(status, reason, payload, (error, sent) => {
      clearTimeout(timer);
      if (error === null || error === undefined) {
        echoed(sent);
        resolve('sent');
      } else resolve(/unknown transaction/i.test(describe(error)) ? 'cancelled' : 'failed');
    });
  });
}

const describe = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** A text that cannot break out of its header line. */
export const oneLine = (text: string): string =>
  // eslint-disable-next-line no-control-regex -- control characters are what it takes out
  text.replace(/[\u0000-\u001f\u007f]+/g, ' ').trim();

const tagOf = (nameAddr: string): string | null =>
  /;\s*tag\s*=\s*([^;,\s>]+)\s*(?:;|,|$)/i.exec(nameAddr.replace(/^[^<]*<[^>]*>/, ''))?.[1] ?? null;

/**
 * The body from the raw message: drachtio-srf cuts it at a blank line when Content-Length is missing, which UDP allows
 * (RFC 3261 section 18.3).
 */
function bodyOf(raw: string, contentLength: string | undefined): string {
  const head = raw.indexOf('\r\n\r\n');
  if (head < 0) return '';
  const body = raw.slice(head + 4);
  const declared = contentLength === undefined ? Number.NaN : Number(contentLength.trim());
  if (!Number.isInteger(declared) || declared < 0 || declared >= Buffer.byteLength(body)) return body;
  return Buffer.from(body).subarray(0, declared).toString('utf8');
}

/** `192.0.2.1:5060` or `[2001:db8::1]:5060` → the address. */
function receivedAddress(receivedOn: string | undefined): string | null {
  const colon = receivedOn?.lastIndexOf(':') ?? -1;
  if (receivedOn === undefined || colon < 1) return null;
  return receivedOn.slice(0, colon).replace(/^\[|\]$/g, '');
}
