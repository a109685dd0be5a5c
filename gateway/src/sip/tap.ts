import { monoUs } from '@earshot/contracts';
import type { SeenMessage } from '../trace/book.ts';
import type { SrfMessage, SrfWay } from './drachtio.ts';

/** Sees each message that goes through, for the trace. */
export type Tap = (message: SeenMessage) => void;

/** What is passed on of a message. @param local our address, where it is known @param atUs when it was sent; left out: now */
export function seen(
  dialogId: string,
  direction: SeenMessage['direction'],
  message: SrfMessage | undefined,
  { source_address: address = '', source_port: port = 0, protocol: transport = '' }: SrfWay,
  local: string | null = null,
  atUs = monoUs(),
): SeenMessage {
  const remote = address === '' ? null : `${bracketed(address)}:${port}`;
  return { dialogId, atUs, direction, transport, local, remote, text: message?.raw ?? '' };
}

const bracketed = (address: string): string =>
  address.includes(':') && !address.startsWith('[') ? `[${address}]` : address;
