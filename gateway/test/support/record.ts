import type { Leg } from '@earshot/contracts';
import type { CallRecord } from '../../src/journal/record.ts';

/** A record of the journal for a leg, with an answer that is told from a computed one. */
export const recordOf = (leg: Leg, dialogId: string): CallRecord => ({
  info: {
    callId: leg.callId,
    startedAtMs: leg.zero.wallMs,
    dialect: 'plain',
    sip: { callId: dialogId, from: 'f', to: 't', transport: 'udp', source: '127.0.0.1:5060' },
    externalIds: {},
    channels: leg.channels.map(({ channel }, index) => ({
      channel,
      index,
      role: 'mixed',
      label: null,
      codec: 'PCMU',
      participant: { name: null, aor: null },
      evidence: [],
    })),
    worker: 0,
  },
  dialogId,
  legs: [leg],
  ports: leg.channels.map(({ channel }, index) => ({
    channel,
    rtpPort: 20_000 + index * 2,
    rtcpPort: 20_001 + index * 2,
  })),
  media: leg.channels.map((_channel, index) => index),
  offerSdp: 'v=0\r\n',
  awaitingAnswer: false,
  answer: { sessionId: '1', version: 1, address: '127.0.0.1', sdp: 'v=0\r\na=from the journal\r\n' },
  metadata: null,
});
