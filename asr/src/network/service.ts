import { monoUs } from '@earshot/contracts';
import type { Log, Registry } from '@earshot/platform';
import { serveHost } from '../server/serve-host.ts';
import type { AsrService } from '../server/service.ts';
import { parseRemoteAddress } from './address.ts';
import { registerRemoteMetrics } from './metrics.ts';
import type { RemoteProtocol } from './protocol.ts';
import { REMOTE_TIMES, RemoteHost, type RemoteTimes } from './remote-host.ts';
import { speechmatics } from './speechmatics.ts';
import { vosk } from './vosk.ts';

/** What media sends in one message is passed on as it comes. */
const CHUNK_MS = 200;

export interface RemoteAsrOptions {
  /** ASR_MODEL: an address that isRemoteAddress() knows. */
  readonly address: string;
  /** ASR_KEY */
  readonly key: string | null;
  /** Engines that share the address's connections. */
  readonly engines: number;
  /** Folder of the Unix sockets. */
  readonly runDir: string;
  readonly instance: number;
  readonly log: Log;
  readonly registry: Registry;
  /** For tests: shorter ones. */
  readonly times?: RemoteTimes;
}

/**
 * Starts an engine whose recogniser is a speech server. It is ready at once, whether the server is there or not.
 * @throws EarshotError CONFIG_INVALID
 */
export async function startRemoteAsr(options: RemoteAsrOptions): Promise<AsrService> {
  const { log, registry, runDir, instance } = options;
  const address = parseRemoteAddress(options.address);
  const protocol: RemoteProtocol =
    address.protocol === 'vosk' ? vosk : speechmatics(address.language, address.operatingPoint);
  const maxChannels = Math.max(1, Math.floor(address.connections / options.engines));
  let running: RemoteHost | null = null;
  const metrics = registerRemoteMetrics(registry, () => running);
  const served = await serveHost({
    runDir,
    instance,
    model: address.name,
    chunkMs: CHUNK_MS,
    log,
    makeHost: (sink) =>
      (running = new RemoteHost({
        protocol,
        url: address.url,
        name: address.name,
        key: options.key,
        maxChannels,
        sink,
        log,
        metrics,
        nowMs: () => monoUs() / 1000,
        times: options.times ?? REMOTE_TIMES,
      })),
  });
  return {
    info: { model: address.name, maxChannels },
    engineRow: () => ({
      engine: instance,
      headroom: running?.headroom ?? 0,
      channels: running?.channelCount ?? 0,
    }),
    drain: () => served.drain(),
  };
}
