import type { CallInfo, Leg } from '@earshot/contracts';
import type { CallTools } from './dialog.ts';
import type { WholeCall } from './whole-call.ts';

/**
 * A call that was recorded first is being recognised: from now on it counts as one that is, and a gateway after this one knows it. The
 * media worker needs no telling, and transcripts was told by it.
 */
export function recognitionBegun(whole: WholeCall, { turns }: Pick<CallTools, 'turns'>): Promise<void> {
  whole.deferred = false;
  return turns.take(whole, () => {
    for (const dialog of whole.dialogs) {
      const { record, isUp } = dialog;
      if (record === null || !isUp) continue;
      dialog.replaceRecord({ ...record, legs: record.legs.map(begunLeg), info: begunInfo(record.info) });
    }
    return Promise.resolve();
  });
}

function begunLeg({ deferred: _begun, ...leg }: Leg): Leg {
  return leg;
}

function begunInfo({ recognition: _begun, ...info }: CallInfo): CallInfo {
  return info;
}
