import type { ChannelInfo, Participant, Role } from '@earshot/contracts';

/** Who speaks on a channel, as somebody said it. */
export interface ChannelCorrection {
  readonly index: number;
  readonly role: Role;
  /** What is left out is as the signalling has it. */
  readonly participant: Partial<Participant>;
  readonly by: string;
}

export interface RoleChange {
  readonly channel: number;
  readonly before: string;
  readonly after: string;
}

/** How the evidence of a corrected channel begins. */
const CORRECTED = 'corrected by ';

/** The channels as people corrected them, whatever the signalling says of them now. */
export const corrected = (
  channels: readonly ChannelInfo[],
  corrections: readonly ChannelCorrection[],
): readonly ChannelInfo[] =>
  corrections.length === 0
    ? channels
    : channels.map((channel) => {
        const correction = corrections.find(({ index }) => index === channel.index);
        return correction === undefined ? channel : correctedChannel(channel, correction);
      });

const correctedChannel = (
  channel: ChannelInfo,
  { role, participant, by }: ChannelCorrection,
): ChannelInfo => ({
  ...channel,
  role,
  score: 1,
  participant: { ...channel.participant, ...participant },
  evidence: [...channel.evidence.filter((text) => !text.startsWith(CORRECTED)), CORRECTED + by],
});

/** The corrections with one more, which goes on from what was said of the channel before. */
export function withCorrection(
  corrections: readonly ChannelCorrection[],
  correction: ChannelCorrection,
): readonly ChannelCorrection[] {
  const before = corrections.find(({ index }) => index === correction.index);
  const others = corrections.filter((other) => other !== before);
  const participant = { ...before?.participant, ...correction.participant };
  return [...others, { ...correction, participant }].sort((a, b) => a.index - b.index);
}

/** Which channels have another role now. Those that are new have none to change. */
export const roleChanges = (
  before: readonly ChannelInfo[],
  after: readonly ChannelInfo[],
): readonly RoleChange[] =>
  after.flatMap(({ index, role }) => {
    const was = before.find((channel) => channel.index === index)?.role;
    return was === undefined || was === role ? [] : [{ channel: index, before: was, after: role }];
  });
