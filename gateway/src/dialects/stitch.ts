import type { InviteHeaders } from './invite.ts';
import type { RecordingMetadata } from './metadata.ts';
import { uriParameters } from './name-addr.ts';

/** What makes one call of several dialogs. */
export interface Stitch {
  /** The same in every dialog of the call, and in those of no other call that lives at the same time. */
  readonly key: string;
  /** `sides`: dialogs side by side, one for each party. `chain`: one dialog after the other, a new one at each change. */
  readonly kind: 'sides' | 'chain';
}

/**
 * Which other dialogs an INVITE belongs to, or null where it is a call of its own.
 * Cisco CUCM's built-in bridge sends two dialogs for a call, both with the near end's call reference in the From URI.
 * NetSapiens ends its dialog and sends a new INVITE at each change of party; the group of its metadata is the call.
 */
export function stitchOf(invite: InviteHeaders, metadata: RecordingMetadata | null): Stitch | null {
  return builtInBridge(invite) ?? chained(invite, metadata);
}

/** Whose voice a dialog of the built-in bridge brings, by the parameters of its From URI; null where it is none. */
export const bridgeSide = ({ parameters }: ReturnType<typeof uriParameters>): 'near' | 'far' | null =>
  parameters.has('x-nearend') ? 'near' : parameters.has('x-farend') ? 'far' : null;

function builtInBridge(invite: InviteHeaders): Stitch | null {
  const from = uriParameters(invite.header('from') ?? '');
  const side = bridgeSide(from);
  // x-refci is the near end's reference in both dialogs; where it is told apart, by the longer name.
  const reference = from.parameters.get('x-nearendrefci') || from.parameters.get('x-refci');
  if (side === null || !reference) return null;
  // References count up on each cluster by itself.
  const cluster = from.parameters.get('x-nearendclusterid') || from.host;
  return { key: `cucm-bib ${cluster} ${reference}`.slice(0, 256), kind: 'sides' };
}

/** NetSapiens' SIP server calls itself SiPbx. */
export const isNetSapiens = (invite: InviteHeaders): boolean =>
  /netsapiens|sipbx/i.test(`${invite.header('user-agent') ?? ''} ${invite.header('server') ?? ''}`);

function chained(invite: InviteHeaders, metadata: RecordingMetadata | null): Stitch | null {
  const group = metadata?.groupIds[0];
  if (group === undefined || !isNetSapiens(invite)) return null;
  return { key: `netsapiens ${group}`, kind: 'chain' };
}
