import type { RecordingFormat, VadKind } from '@earshot/contracts';
import type { SipUser } from './sip-users.ts';

/** The settings, read: docs/configuration.md says what each means. */
export interface Config {
  readonly sipBind: string;
  readonly rtpBind: string;
  readonly httpBind: string;
  readonly httpPort: number;
  readonly sipPort: number;
  /** SIP over TLS; null: off. */
  readonly sips: {
    readonly port: number;
    readonly certFile: string;
    readonly keyFile: string;
    readonly caFile: string | null;
  } | null;
  readonly rtpPortMin: number;
  readonly rtpPortMax: number;
  readonly publicIp: string | null;
  readonly publicUrl: string | null;
  readonly dataDir: string;
  readonly databaseUrl: string | null;
  readonly redisUrl: string | null;
  readonly drachtio: { readonly host: string | null; readonly port: number; readonly secret: string };
  readonly asrModel: string | null;
  readonly asrKey: string | null;
  readonly mediaWorkers: number;
  readonly asrEngines: number;
  readonly asrStandby: number;
  readonly maxCalls: number | null;
  /** False: ADMISSION=open. */
  readonly admitMeasured: boolean;
  /** Null: by what the engines carry. */
  readonly recordFirstCalls: number | null;
  /** Null: no limit. */
  readonly sipRate: { readonly perSecond: number; readonly burst: number } | null;
  readonly sipUsers: readonly SipUser[];
  readonly sipUsersFile: string | null;
  readonly vad: VadKind;
  readonly record: boolean;
  /** At least one, none twice. */
  readonly recordingFormats: readonly RecordingFormat[];
  readonly sipAllow: readonly string[];
  readonly apiKey: string | null;
  /** Percent, 0 to 100. */
  readonly diskReserve: number;
  readonly rtpReader: string;
  /** Who is an agent, by number and by domain. */
  readonly agents: { readonly numbers: readonly string[]; readonly domains: readonly string[] };
  readonly rtpTimeoutS: number;
  readonly logLevel: string;
}
