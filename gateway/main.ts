import { runChild } from '@earshot/platform';
import { Gateway } from './src/control/gateway.ts';

await runChild('gateway', async (context) => {
  const gateway = new Gateway(context);
  context.host.onEngines((rows) => gateway.engines(rows));
  context.host.onAdmission((open) => gateway.setAdmission(open));
  await gateway.start();
  return { info: { sip: 'connected' }, drain: () => gateway.drain() };
});
