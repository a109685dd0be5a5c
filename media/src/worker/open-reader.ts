import type { Log } from '@earshot/platform';
import { NativeUnavailable } from '../native/build.ts';
import { loadNativeReader } from '../native/reader.ts';
import { SocketReader } from './socket-reader.ts';

/**
 * The native reader, compiled at the first start of all. Null where it cannot be had, with a line in the log that says why:
 * dgram reads the sockets then, at some three times the CPU time a packet.
 * @param choice RTP_READER: `dgram` does without it
 * @param cache folder of the compiled reader, if not the one beside the packages
 */
export async function openReader(
  choice: string | undefined,
  log: Log,
  cache?: string,
): Promise<SocketReader | null> {
  if (choice === 'dgram') return null;
  try {
    return new SocketReader(await loadNativeReader(cache), log);
  } catch (error) {
    const action = error instanceof NativeUnavailable ? error.action : 'See the error.';
    log.warn({ reason: (error as Error).message, action }, 'RTP is read by dgram: no native reader');
    return null;
  }
}
