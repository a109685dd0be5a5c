/** The part of sdp-transform that offer.ts uses: it ships no types. */
declare module 'sdp-transform' {
  export interface ParsedMedia {
    type?: string;
    port?: number;
    protocol?: string;
    /** Numbers stay numbers when a single payload type was offered. */
    payloads?: string | number;
    direction?: string;
    label?: string | number;
    ptime?: number;
    connection?: { version: number; ip: string | number };
    rtp: { payload: number; codec: string | number; rate?: number; encoding?: string | number }[];
  }
  export interface ParsedSession {
    version?: number | string;
    origin?: { sessionId: string | number; sessionVersion: string | number };
    direction?: string;
    connection?: { version: number; ip: string | number };
    media: ParsedMedia[];
  }
  const sdpTransform: { parse(sdp: string): ParsedSession };
  export default sdpTransform;
}
