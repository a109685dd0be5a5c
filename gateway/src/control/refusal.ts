import { catalogue, EarshotError, type ErrorCode } from '@earshot/contracts';
import type { ResponseOptions } from '../sip/request.ts';

/** A final answer that refuses a request. */
export interface Refusal extends ResponseOptions {
  readonly status: number;
  /** Label of earshot_admission_refusals_total, when it is about capacity or permission. */
  readonly admission?: string;
}

export const ACCEPT = 'application/sdp, multipart/mixed, application/rs-metadata+xml';
export const ALLOW = 'INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE';
export const SUPPORTED = 'siprec, timer';

/** Seconds after which a refused caller may try again. */
const RETRY_AFTER_S = 5;

/** RFC 3261 section 20.43: 399 is a miscellaneous warning. The text names the fault. */
export const warning = (code: number, text: string): string =>
  `${code} earshot "${text.replace(/["\\]/g, "'").slice(0, 200)}"`;

/** The SIP answer for an error: status and reason from the catalogue, particulars in Warning. */
export function refusalFor(error: EarshotError): Refusal {
  const reason = error.title;
  switch (error.code) {
    case 'CODEC_UNSUPPORTED':
      return {
        status: 488,
        reason,
        headers: {
          Accept: 'application/sdp',
          Warning: warning(305, `${error.message}; accepted: PCMU/8000, PCMA/8000`),
        },
      };
    case 'SDP_NO_AUDIO':
      return {
        status: 488,
        reason,
        headers: { Accept: 'application/sdp', Warning: warning(304, error.message) },
      };
    case 'RTP_PORTS_EXHAUSTED':
    case 'MEDIA_UNAVAILABLE':
    case 'NOT_READY':
      return {
        status: 503,
        reason,
        headers: { 'Retry-After': String(RETRY_AFTER_S), Warning: warning(399, error.message) },
        admission: error.code.toLowerCase().replaceAll('_', '-'),
      };
    case 'SOURCE_FORBIDDEN':
      return { status: 403, reason, admission: 'source-forbidden' };
    default:
      return { status: error.status, reason, headers: { Warning: warning(399, error.message) } };
  }
}

/** The refusal for a code that came from elsewhere, such as a media worker. */
export function refusalForCode(code: string, message: string): Refusal {
  const known = Object.hasOwn(catalogue, code) ? (code as ErrorCode) : 'INTERNAL';
  return refusalFor(new EarshotError(known, message));
}

export const tooManyCalls = (limit: number): Refusal => ({
  status: 503,
  reason: 'All lines are taken',
  headers: { 'Retry-After': String(RETRY_AFTER_S), Warning: warning(399, `${limit} calls are live`) },
  admission: 'max-calls',
});

export const unsupportedBody = (type: string): Refusal => ({
  status: 415,
  reason: 'Unsupported Media Type',
  headers: { Accept: ACCEPT, Warning: warning(399, `Content-Type ${type === '' ? 'is missing' : type}`) },
});

/** For a malformed request that never reached SDP. */
export const badRequest = (what: string): Refusal => ({
  status: 400,
  reason: `Bad Request: ${what}`,
  headers: { Warning: warning(399, what) },
});

export const badExtension = (options: readonly string[]): Refusal => ({
  status: 420,
  reason: 'Bad Extension',
  headers: { Unsupported: options.join(', ').slice(0, 200) },
});

export const noSuchDialog: Refusal = { status: 481, reason: 'Call/Transaction Does Not Exist' };
