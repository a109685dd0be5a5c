import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLog, createRegistry, readConfig, type Log, type Registry } from '@earshot/platform';
import { Gateway } from '../../src/control/gateway.ts';
import { SipEndpoint } from '../../../sip-endpoint/src/endpoint.ts';
import { FakeMedia } from './fake-media.ts';
import { FakeTranscripts } from './fake-transcripts.ts';
import { SipClient } from './sip-client.ts';

const SECRET = 'a secret of the test';

export interface RigOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly workers?: number;
  /** The endpoint's timers run this many times as fast. */
  readonly hurry?: number;
  /** The clock of session timers, milliseconds. */
  readonly nowMs?: () => number;
  /** What the endpoint binds; 127.0.0.1 when left out. */
  readonly host?: string;
  /** Without it the gateway is not started. */
  readonly gateway?: boolean;
}

/** The real SIP endpoint and the real gateway, with media and transcripts played by fakes. */
export class Rig {
  readonly folder = mkdtempSync(join(tmpdir(), 'gw-'));
  readonly log: Log = createLog('test', process.env['TEST_LOG'] ?? 'silent');
  readonly media: FakeMedia[] = [];
  env: Record<string, string> = {};
  transcripts!: FakeTranscripts;
  endpoint!: SipEndpoint;
  gateway!: Gateway;
  registry!: Registry;
  nowMs: (() => number) | undefined;
  readonly #clients: SipClient[] = [];
  #host = '127.0.0.1';
  #ports: { udp: number; tcp: number; wire: number } | null = null;

  static async start(options: RigOptions = {}): Promise<Rig> {
    const rig = new Rig();
    rig.nowMs = options.nowMs;
    const workers = options.workers ?? 1;
    for (let worker = 0; worker < workers; worker++) {
      rig.media.push(await FakeMedia.start(rig.folder, worker));
    }
    rig.#host = options.host ?? '127.0.0.1';
    rig.transcripts = await FakeTranscripts.start(rig.folder);
    await rig.startEndpoint(options.hurry ?? 1);
    rig.env = {
      DATA_DIR: join(rig.folder, 'data'),
      DRACHTIO_PORT: String(rig.endpoint.wirePort),
      DRACHTIO_SECRET: SECRET,
      MEDIA_WORKERS: String(workers),
      EARSHOT_RUN_DIR: rig.folder,
      ...options.env,
    };
    if (options.gateway !== false) await rig.startGateway();
    return rig;
  }

  /** Again on the ports it had, when it was there before. */
  async startEndpoint(hurry = 1): Promise<void> {
    const at = (port: number | undefined, host = this.#host) => ({ host, port: port ?? 0 });
    this.endpoint = await SipEndpoint.start({
      udp: at(this.#ports?.udp),
      tcp: at(this.#ports?.tcp),
      wire: at(this.#ports?.wire, '127.0.0.1'),
      secret: SECRET,
      dialogFile: join(this.folder, 'dialogs'),
      log: this.log,
      timers: {
        after(delayMs, run) {
          const timer = setTimeout(run, delayMs / hurry);
          return () => clearTimeout(timer);
        },
      },
    });
    const { udpPort: udp, tcpPort: tcp, wirePort: wire } = this.endpoint;
    this.#ports = { udp, tcp, wire };
  }

  async startGateway(limitMs?: number): Promise<void> {
    this.gateway = new Gateway({
      config: readConfig(this.env),
      log: this.log,
      registry: (this.registry = createRegistry('gateway')),
      runDir: this.folder,
      ...(this.nowMs === undefined ? {} : { nowMs: this.nowMs }),
    });
    await this.gateway.start(limitMs);
  }

  async client(address?: string): Promise<SipClient> {
    const client = await SipClient.open(this.endpoint.udpPort, address);
    this.#clients.push(client);
    return client;
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.close();
    await (this.gateway as Gateway | undefined)?.drain();
    for (const media of this.media) await media.stop();
    await this.transcripts.stop();
    await this.endpoint.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
