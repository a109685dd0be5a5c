import type { CallId } from './ids.ts';

/**
 * The outbox and the jobs made from it. `transcripts` writes outbox rows in the transaction of the event that
 * causes them; post-call enqueues each with the id below, so a row taken twice makes one job.
 */
export const QUEUES = {
  recording: 'recording',
  webhooks: 'webhooks',
  retranscription: 'retranscription',
} as const;

export type OutboxRow =
  /** All channels are settled and the call has ended: the spool is whole. */
  | { readonly kind: 'recording'; readonly callId: CallId }
  /**
   * Event seq is to be fanned out to the webhooks that ask for its type; with webhookId it goes to that one alone,
   * whatever it asked for (a test or a replay, which dashboard-api may ask for more than once).
   */
  | {
      readonly kind: 'webhook';
      readonly seq: number;
      readonly event: string;
      readonly callId: CallId;
      readonly webhookId?: string;
    }
  /** The row of the table retranscriptions is to be worked on; dashboard-api writes both together. */
  | { readonly kind: 'retranscription'; readonly callId: CallId; readonly retranscription: string };

export const recordingJobId = (callId: CallId): string => `recording-${callId}`;
export const retranscriptionJobId = (retranscription: string): string => `retranscription-${retranscription}`;
/** Also the webhook-id header: the same for each retry (Standard Webhooks 1.0.0). */
export const deliveryIdOf = (webhookId: string, seq: number): string => `msg_${webhookId.slice(3)}_${seq}`;

export const PG_CHANNELS = {
  /** NOTIFY when outbox rows were committed. */
  outbox: 'earshot_outbox',
} as const;
