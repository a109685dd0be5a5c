import { DEFAULT_LIMITS, parseHead, type Head, type ParseLimits } from './head.ts';
import type { ParseFault, ParseResult } from './message.ts';
import { finishMessage } from './parse.ts';

/** What comes out of a stream: a message, a keep-alive ping to be answered with one CRLF, or its end. */
export type StreamEvent =
  | { readonly kind: 'message'; readonly result: ParseResult }
  | { readonly kind: 'ping' }
  /** The stream can no longer be cut into messages; answer `result` if it can be answered, then close. */
  | { readonly kind: 'broken'; readonly result: ParseResult };

const HEAD_END = Buffer.from('\r\n\r\n');
const EMPTY = Buffer.alloc(0);

/**
 * Cuts a byte stream into SIP messages by Content-Length (RFC 3261 section 18.3). Chunks may be split anywhere.
 * Between messages, a double CRLF is a ping (RFC 5626 section 4.4.1) and a single one is nothing.
 */
export class StreamFramer {
  readonly #limits: ParseLimits;
  #held: Buffer = EMPTY;
  #scanFrom = 0;
  #lineBreaks = 0;
  #head: Head | undefined;
  #bodyBytes = 0;
  #bodyChunks: Buffer[] = [];
  #bodyHeld = 0;
  #broken = false;

  constructor(limits: ParseLimits = DEFAULT_LIMITS) {
    this.#limits = limits;
  }

  /** True while a message has begun and is not complete. */
  get partial(): boolean {
    return this.#head !== undefined || this.#held.length > 0;
  }

  /** Takes the next bytes of the stream; after `broken`, everything is ignored. */
  push(chunk: Buffer): StreamEvent[] {
    const events: StreamEvent[] = [];
    let rest = chunk;
    while (rest.length > 0 && !this.#broken) {
      rest =
        this.#head === undefined ? this.#pushHead(rest, events) : this.#pushBody(rest, this.#head, events);
    }
    return events;
  }

  #pushHead(chunk: Buffer, events: StreamEvent[]): Buffer {
    let bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    this.#held = EMPTY;
    if (this.#scanFrom === 0) {
      let at = 0;
      while (bytes[at] === 0x0d && bytes[at + 1] === 0x0a) {
        at += 2;
        if (++this.#lineBreaks === 2) {
          events.push({ kind: 'ping' });
          this.#lineBreaks = 0;
        }
      }
      bytes = bytes.subarray(at);
      if (bytes.length === 0) return EMPTY;
      if (bytes.length === 1 && bytes[0] === 0x0d) {
        this.#held = bytes;
        return EMPTY;
      }
      this.#lineBreaks = 0;
    }
    const end = bytes.indexOf(HEAD_END, this.#scanFrom);
    if (end === -1) {
      if (bytes.length > this.#limits.headBytes) {
        this.#break(parseHead(bytes.toString('latin1'), this.#limits), events, undefined);
        return EMPTY;
      }
      this.#scanFrom = Math.max(1, bytes.length - 3);
      this.#held = bytes;
      return EMPTY;
    }
    this.#scanFrom = 0;
    const head = parseHead(bytes.toString('latin1', 0, end), this.#limits);
    if (head.contentLength === undefined || head.contentLength > this.#limits.bodyBytes) {
      const missing = {
        code: 'SIP_CONTENT_LENGTH',
        sipStatus: 400,
        reason: 'Missing Content-Length',
      } as const;
      this.#break(head, events, missing);
      return EMPTY;
    }
    const rest = bytes.subarray(end + HEAD_END.length);
    if (head.contentLength === 0) {
      events.push({ kind: 'message', result: finishMessage(head, EMPTY) });
      return rest;
    }
    this.#head = head;
    this.#bodyBytes = head.contentLength;
    return rest;
  }

  #pushBody(chunk: Buffer, head: Head, events: StreamEvent[]): Buffer {
    const wanted = this.#bodyBytes - this.#bodyHeld;
    const part = chunk.subarray(0, wanted);
    this.#bodyChunks.push(part);
    this.#bodyHeld += part.length;
    if (this.#bodyHeld === this.#bodyBytes) {
      // concat copies, so the message does not keep the socket's buffer alive.
      const body = Buffer.concat(this.#bodyChunks);
      this.#head = undefined;
      this.#bodyChunks = [];
      this.#bodyHeld = 0;
      events.push({ kind: 'message', result: finishMessage(head, body) });
    }
    return chunk.subarray(part.length);
  }

  #break(head: Head, events: StreamEvent[], fallback: ParseFault | undefined): void {
    this.#broken = true;
    const tooLarge: ParseFault = {
      code: 'SIP_HEAD_SIZE',
      sipStatus: 413,
      reason: 'Message header too large',
    };
    const result = finishMessage({ ...head, fault: head.fault ?? fallback ?? tooLarge }, EMPTY);
    events.push({ kind: 'broken', result });
  }
}
