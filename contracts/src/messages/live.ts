import type { CallId } from '../ids.ts';
import type { SegmentView } from '../http.ts';

/**
 * The live bus: transcripts → dashboard-api, on the `live` socket of each dashboard-api (it listens). Readers take
 * what is durable from the call log; the bus wakes them and carries partials, newest only.
 */
export type ToLive =
  /** Events up to and including seq are in the log. */
  | { readonly type: 'logged'; readonly seq: number }
  | {
      readonly type: 'partial';
      readonly callId: CallId;
      readonly attempt: number;
      readonly rev: number;
      readonly segment: SegmentView;
      /** Arrival of the audio (monotonic microseconds), for the latency metric. */
      readonly arrivalUs: number;
    };
