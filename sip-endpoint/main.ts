/** The embedded SIP endpoint as a process of host: sockets are lent, the dialog table lies in DATA_DIR. */
import { join } from 'node:path';
import { EarshotError, type LentKind } from '@earshot/contracts';
import { addressCheck, type ChildContext, runChild, type Service } from '@earshot/platform';
import { SipEndpoint } from './src/endpoint.ts';
import { publishStats } from './src/metrics.ts';
import type { Binding } from './src/transport/handles.ts';

function lent(context: ChildContext, kind: LentKind): Binding {
  const socket = context.host.lentAtStart.find((candidate) => candidate.kind === kind);
  if (socket === undefined) throw new EarshotError('INTERNAL', `host lent no ${kind} socket`);
  return { handle: socket.handle } as Binding;
}

async function start(context: ChildContext): Promise<Service> {
  const { config, log, registry } = context;
  const { sips } = config;
  const endpoint = await SipEndpoint.start({
    udp: lent(context, 'sip-udp'),
    tcp: lent(context, 'sip-tcp'),
    ...(sips !== null && {
      tls: { binding: lent(context, 'sip-tls'), files: { ...sips, caFile: sips.caFile ?? undefined } },
    }),
    wire: lent(context, 'drachtio-tcp'),
    secret: config.drachtio.secret,
    dialogFile: join(config.dataDir, 'sip-dialogs.jsonl'),
    log,
    allow: addressCheck(config.sipAllow),
    ...(config.publicIp === null ? {} : { advertisedHost: config.publicIp }),
  });
  publishStats(registry, () => endpoint.stats());
  return { info: { sipPort: config.sipPort }, drain: () => endpoint.close() };
}

void runChild('sip-endpoint', start);
