import { WalCursor } from '../../src/spool/wal-record.ts';

export type WalRecord =
  | {
      readonly kind: 'packet';
      readonly channel: string;
      readonly arrivalUs: number;
      readonly endTick: number;
      readonly address: string;
      readonly port: number;
      /** A view of the file's bytes. */
      readonly datagram: Buffer;
    }
  | { readonly kind: 'clock'; readonly channel: string; readonly nowUs: number; readonly endTick: number };

/** How a file ended: `whole`, or at which byte its first bad record begins. */
export type WalEnd = { readonly kind: 'whole' } | { readonly kind: 'broken'; readonly offset: number };

/** Makes something of each record of one file, in order, until its end or the first that is truncated or damaged. */
export function readWal(bytes: Buffer, onRecord: (record: WalRecord) => void): WalEnd {
  const channels = new Map<number, string>();
  const cursor = new WalCursor(bytes);
  for (let at = 0; at < bytes.length; at = cursor.offset) {
    const channel = cursor.next() ? channels.get(cursor.number) : undefined;
    if (cursor.kind === 'channel') {
      channels.set(cursor.number, cursor.id);
      continue;
    }
    if (cursor.kind === '' || channel === undefined) return { kind: 'broken', offset: at };
    const { us, endTick } = cursor;
    if (cursor.kind === 'clock') {
      onRecord({ kind: 'clock', channel, nowUs: us, endTick });
    } else {
      const { address, port, datagram } = cursor;
      onRecord({ kind: 'packet', channel, arrivalUs: us, endTick, address, port, datagram });
    }
  }
  return { kind: 'whole' };
}
