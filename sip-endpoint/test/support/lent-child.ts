/** A process that runs an endpoint on sockets lent by its parent; see lent-handles.test.ts. */
import { SipEndpoint } from '../../src/endpoint.ts';
import { quiet } from './endpoint.ts';

const handles = new Map<string, object>();

async function run(dialogFile: string): Promise<void> {
  const lent = (name: string): { handle: object } => {
    const handle = handles.get(name);
    if (handle === undefined) throw new Error(`no handle for ${name}`);
    return { handle };
  };
  const endpoint = await SipEndpoint.start({
    udp: lent('udp'),
    tcp: lent('tcp'),
    wire: lent('wire'),
    secret: 'secret',
    dialogFile,
    log: quiet,
  });
  process.send?.({ ready: true, dialogs: endpoint.stats().liveDialogs });
}

process.on('message', (message: { lend?: string; run?: string }, handle: unknown) => {
  if (message.lend !== undefined) handles.set(message.lend, handle as object);
  if (message.run !== undefined) void run(message.run);
});

// The parent is gone: so are we.
process.on('disconnect', () => process.exit());
