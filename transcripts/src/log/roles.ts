import type { CallId } from '@earshot/contracts';
import type { PoolClient } from '@earshot/platform';
import { jsonParameter } from './rows.ts';

/** Everything that was said on a channel was said by somebody else than it was thought. */
export interface PlannedRole {
  readonly callId: CallId;
  readonly index: number;
  readonly role: string;
}

/** After the segments of the batch. @param roles in order: of two for one channel the last counts */
export async function writeRoles(client: PoolClient, roles: readonly PlannedRole[]): Promise<void> {
  if (roles.length === 0) return;
  const last = new Map(roles.map((planned) => [`${planned.callId} ${planned.index}`, planned]));
  await client.query(
    `update segments s set role = r.role
     from jsonb_to_recordset($1::jsonb) as r ("callId" text, index integer, role text)
     where s.call_id = r."callId" and s.idx = r.index and s.role <> r.role`,
    [jsonParameter([...last.values()])],
  );
}
