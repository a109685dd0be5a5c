import { parseHead, type StartLine } from '../parse/head.ts';
import type { Header } from '../parse/message.ts';

/** What an application sends, taken apart. */
export type AppCommand =
  | { readonly verb: 'authenticate'; readonly id: string; readonly secret: string }
  | { readonly verb: 'route' | 'remove_route'; readonly id: string; readonly method: string }
  | { readonly verb: 'ping'; readonly id: string }
  | {
      readonly verb: 'sip';
      readonly id: string;
      readonly transactionId: string;
      readonly dialogId: string;
      /** Where a request outside a dialog is sent instead of its URI; empty for none. */
      readonly proxyUri: string;
      readonly text: Buffer;
    }
  | { readonly verb: 'proxy'; readonly id: string }
  | { readonly verb: 'unknown'; readonly id: string };

/** Reads a payload. Tokens that are missing read as empty; nothing throws. */
export function parseCommand(payload: Buffer): AppCommand {
  const end = payload.indexOf(0x0d);
  const leader = payload.toString('latin1', 0, end === -1 ? payload.length : end);
  const tokens = leader.split('|');
  const id = tokens[0] ?? '';
  const third = tokens[2] ?? '';
  switch (tokens[1]) {
    case 'authenticate':
      return { verb: 'authenticate', id, secret: third };
    case 'route':
    case 'remove_route':
      return { verb: tokens[1], id, method: third.toLowerCase() };
    case 'ping':
      return { verb: 'ping', id };
    case 'sip': {
      const text = end === -1 ? Buffer.alloc(0) : payload.subarray(end + 2);
      return {
        verb: 'sip',
        id,
        transactionId: third,
        dialogId: tokens[3] ?? '',
        proxyUri: tokens[4] ?? '',
        text,
      };
    }
    case 'proxy':
      return { verb: 'proxy', id };
    default:
      return { verb: 'unknown', id };
  }
}

/** A request or response as an application writes it: few headers, and the body is the rest of the frame. */
export interface AppMessage {
  readonly start: StartLine;
  readonly headers: readonly Header[];
  readonly body: Buffer;
}

const HEAD_END = Buffer.from('\r\n\r\n');
const LIMITS = {
  headBytes: 1_048_576,
  headers: 1024,
  lineBytes: 262_144,
  bodyBytes: Number.MAX_SAFE_INTEGER,
};

/**
 * Reads the SIP text of an application's frame; undefined when it is malformed. Its Content-Length is ignored:
 * drachtio-srf counts UTF-16 units.
 */
export function parseAppMessage(text: Buffer): AppMessage | undefined {
  const end = text.indexOf(HEAD_END);
  const headText = text.toString('latin1', 0, end === -1 ? text.length : end);
  const head = parseHead(headText, LIMITS);
  const tolerable = head.fault === undefined || head.fault.code === 'SIP_CONTENT_LENGTH';
  if (head.start === undefined || !tolerable) return undefined;
  const body = end === -1 ? Buffer.alloc(0) : text.subarray(end + HEAD_END.length);
  return { start: head.start, headers: head.headers, body };
}
