import { type CallId, QUEUES, deliveryIdOf, recordingJobId, retranscriptionJobId } from '@earshot/contracts';

/** Queue of the single deliveries, apart from the fan-out: a slow endpoint must not hold up the next event. */
export const DELIVERIES = 'deliveries';

export interface RecordingJob {
  readonly callId: CallId;
}
export interface FanOutJob {
  readonly seq: number;
  readonly event: string;
  readonly callId: CallId;
  readonly webhookId: string | null;
  /** Sets repeated requests for one webhook apart; null for the fan-out of a new event. */
  readonly request: string | null;
}
export interface RetranscriptionJob {
  readonly callId: CallId;
  /** Id of the row of the table retranscriptions. */
  readonly retranscription: string;
}
export interface DeliveryJob {
  readonly deliveryId: string;
  readonly webhookId: string;
  readonly seq: number;
  /** Attempts that were recorded before this job: they do not count in its schedule. */
  readonly earlierAttempts: number;
  /** Asked for by name: an inactive webhook gets it too. */
  readonly requested: boolean;
}

/** A job to enqueue: the id is the same each time the row is taken, so that a row taken twice makes one job. */
export type JobSpec =
  | { readonly queue: typeof QUEUES.recording; readonly id: string; readonly data: RecordingJob }
  | { readonly queue: typeof QUEUES.retranscription; readonly id: string; readonly data: RetranscriptionJob }
  | { readonly queue: typeof QUEUES.webhooks; readonly id: string; readonly data: FanOutJob };

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;

/** The job of an outbox row, or null for a row that this version does not understand. */
export function jobOf(rowId: number, payload: unknown): JobSpec | null {
  if (!isRecord(payload)) return null;
  const { kind, callId, seq, event, webhookId, retranscription } = payload;
  if (typeof callId !== 'string') return null;
  const call = callId as CallId;
  if (kind === 'recording')
    return { queue: QUEUES.recording, id: recordingJobId(call), data: { callId: call } };
  if (kind === 'retranscription' && typeof retranscription === 'string') {
    const data = { callId: call, retranscription };
    return { queue: QUEUES.retranscription, id: retranscriptionJobId(retranscription), data };
  }
  if (
    kind !== 'webhook' ||
    typeof event !== 'string' ||
    typeof seq !== 'number' ||
    !Number.isSafeInteger(seq)
  )
    return null;
  if (webhookId === undefined || webhookId === null) {
    const data = { seq, event, callId: call, webhookId: null, request: null };
    return { queue: QUEUES.webhooks, id: `event-${seq}`, data };
  }
  if (typeof webhookId !== 'string') return null;
  const request = `row-${rowId}`;
  const data = { seq, event, callId: call, webhookId, request };
  return { queue: QUEUES.webhooks, id: `event-${seq}-${request}`, data };
}

export const deliveryJobId = (webhookId: string, seq: number, request: string | null): string =>
  request === null ? deliveryIdOf(webhookId, seq) : `${deliveryIdOf(webhookId, seq)}-${request}`;
