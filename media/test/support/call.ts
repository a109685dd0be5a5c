import { randomBytes } from 'node:crypto';
import {
  type CallId,
  type CallZero,
  channelIdOf,
  type ChannelId,
  type Leg,
  type LegChannel,
  legIdOf,
  monoUs,
  newCallId,
} from '@earshot/contracts';

export interface TestCall {
  readonly callId: CallId;
  readonly leg: Leg;
  readonly channels: readonly ChannelId[];
}

export const newZero = (): CallZero => ({ wallMs: Date.now(), monoUs: monoUs() });

/** A call of `count` channels in one leg. */
export function newCall(count: number, over: Partial<Leg> = {}, channel: Partial<LegChannel> = {}): TestCall {
  const callId = newCallId(Date.now(), randomBytes(10));
  const channels = Array.from({ length: count }, (_, index) => channelIdOf(callId, index));
  const leg: Leg = {
    callId,
    legId: legIdOf(callId, 0),
    zero: newZero(),
    channels: channels.map((id) => ({
      channel: id,
      codecs: [
        { payloadType: 0, name: 'PCMU' },
        { payloadType: 8, name: 'PCMA' },
      ],
      state: 'active',
      remote: null,
      ...channel,
    })),
    rtpTimeoutS: 60,
    record: true,
    ...over,
  };
  return { callId, leg, channels };
}
