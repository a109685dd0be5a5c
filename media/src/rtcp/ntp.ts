/** NTP timestamps (RFC 3550 section 4): seconds since 1900 and 1/2^32 of them. Here microseconds, which are a safe integer. */
const SECONDS_1900_TO_1970 = 2_208_988_800;
/** Seconds count anew in 2036; nothing that we talk to sends a time before 1968 in earnest (RFC 4330 section 3). */
const ERA_SECONDS = 2 ** 32;
const ERA_0_BEGINS = 2 ** 31;

/** @returns microseconds since 1900; 0 for the 0 of senders without a wall clock */
export function ntpUs(seconds: number, fraction: number): number {
  if (seconds === 0 && fraction === 0) return 0;
  const whole = seconds >= ERA_0_BEGINS ? seconds : seconds + ERA_SECONDS;
  return whole * 1_000_000 + Math.round((fraction * 1_000_000) / ERA_SECONDS);
}

/** The wall clock's milliseconds since 1970 as microseconds since 1900. */
export const ntpUsOfWall = (wallMs: number): number =>
  Math.round((wallMs / 1000 + SECONDS_1900_TO_1970) * 1e6);

/** The two words of an NTP timestamp. */
export function ntpWords(us: number): { readonly seconds: number; readonly fraction: number } {
  const seconds = Math.floor(us / 1_000_000);
  const fraction = Math.floor(((us % 1_000_000) * ERA_SECONDS) / 1_000_000);
  return { seconds: seconds % ERA_SECONDS, fraction };
}

/** The middle 32 bits, as reports quote them: 1/65536 s, counting anew every 18 hours. */
export function ntpMiddleOf(us: number): number {
  const { seconds, fraction } = ntpWords(us);
  return (((seconds & 0xffff) << 16) | (fraction >>> 16)) >>> 0;
}
