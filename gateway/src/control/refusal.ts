import { catalogue, EarshotError, type ErrorCode } from '@earshot/contracts';
import type { AdmissionRefusal, NotAdmitted } from '../admission/admission.ts';
import type { Authentication } from '../admission/authenticator.ts';
import type { ResponseOptions } from '../sip/request.ts';

/** A final answer that refuses a request. */
export interface Refusal extends ResponseOptions {
  readonly status: number;
  /** Label of earshot_admission_refusals_total, when it is about capacity or permission. */
  readonly admission?: string;
  /** The caller is asked for its password, as every call begins then: nothing was refused yet. */
  readonly challenge?: true;
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
          Warning: warning(305, error.message),
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
        admission: error.code.toLowerCase(),
      };
    case 'SOURCE_FORBIDDEN':
      return {
        status: 403,
        reason,
        headers: { Warning: warning(399, error.message) },
        admission: 'source',
      };
    default:
      return { status: error.status, reason, headers: { Warning: warning(399, error.message) } };
  }
}

/** The refusal for a code that came from elsewhere, such as a media worker. */
export function refusalForCode(code: string, message: string): Refusal {
  const known = Object.hasOwn(catalogue, code) ? (code as ErrorCode) : 'INTERNAL';
  return refusalFor(new EarshotError(known, message));
}

const NOT_ADMITTED: Readonly<Record<AdmissionRefusal, string>> = {
  capacity: 'No Room For Another Call',
  max_calls: 'All Lines Are Taken',
  draining: 'Node Is Draining',
  rate_limit: 'Too Many Calls From This Address',
};

/** For a call that another node, or this one later, may well take (RFC 3261 section 21.5.4). */
export const notAdmitted = ({ reason, retryAfterS }: NotAdmitted): Refusal => ({
  status: 503,
  reason: NOT_ADMITTED[reason],
  headers: { 'Retry-After': String(retryAfterS) },
  admission: reason,
});

/** RFC 3261 section 22.2. */
export const unauthenticated = ({
  challenges,
  wrong,
}: Extract<Authentication, { readonly type: 'challenge' }>): Refusal => ({
  status: 401,
  reason: 'Unauthorized',
  headers: { 'WWW-Authenticate': challenges },
  ...(wrong ? { admission: 'authentication' } : { challenge: true }),
});

export const unsupportedBody = (type: string): Refusal => ({
  status: 415,
  reason: 'Unsupported Media Type',
  headers: { Accept: ACCEPT, Warning: warning(399, `Content-Type ${type === '' ? 'is missing' : type}`) },
});

/** The caller takes no SDP in our answer (RFC 3261 section 21.4.7, RFC 4475 section 3.3.15). */
export const notAcceptable: Refusal = {
  status: 406,
  reason: 'Not Acceptable',
  headers: { Warning: warning(399, 'Accept names no application/sdp') },
};

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
