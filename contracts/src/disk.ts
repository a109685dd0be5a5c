/** What the disk did to a call's audio, as the call log keeps it. */
export interface DiskRecord {
  /** It was nearly full when the call began: nothing of the call is recorded. */
  readonly low: boolean;
  /** Indices of the channels whose audio cannot be written now, in order. */
  readonly failing: readonly number[];
  /** Some audio could not be written: it is missing in the recording. */
  readonly failed: boolean;
}

export const NO_DISK_TROUBLE: DiskRecord = { low: false, failing: [], failed: false };

export const DISK_STATES = ['ok', 'low', 'full', 'was-full'] as const;
export type DiskState = (typeof DISK_STATES)[number];

/** The same in a word: what cannot be written now outweighs what is not recorded anyway. */
export function diskStateOf({ low, failing, failed }: DiskRecord): DiskState {
  if (failing.length > 0) return 'full';
  if (low) return 'low';
  return failed ? 'was-full' : 'ok';
}
