import { EarshotError } from '@earshot/contracts';
import { Type } from '@sinclair/typebox';
import { gaugeOf } from '../formats/prometheus.ts';
import { guarded } from '../schemas/common.ts';
import type { App, Dependencies } from '../types.ts';

const DrainBody = Type.Object(
  {
    on: Type.Boolean({ description: 'true: no new calls; false: new calls are taken again.' }),
  },
  { additionalProperties: false },
);

const DrainView = Type.Object({
  draining: Type.Boolean(),
  liveCalls: Type.Union([Type.Integer(), Type.Null()], {
    description:
      'Calls that go on, of about a second ago: at 0 the node can be stopped. Null while nobody knows.',
  }),
});

const description =
  'While a node drains, INVITEs that would begin a call and OPTIONS are answered 503, so that dispatchers and SBCs call elsewhere; live calls go on to their end, and /readyz says 503. It lasts until it is taken back or Earshot is started again.';

/** Taking a node out of service without taking a call down. Host knows, and tells the gateway and us. */
export function registerDrain(app: App, { admission, metrics }: Dependencies): void {
  const view = async () => ({
    draining: !admission.open(),
    liveCalls: gaugeOf(await metrics(), 'earshot_live_calls'),
  });
  app.get(
    '/v1/drain',
    {
      schema: {
        tags: ['server'],
        summary: 'Whether the node takes new calls, and how many go on',
        operationId: 'getDrain',
        description,
        response: { 200: DrainView, ...guarded() },
      },
    },
    view,
  );
  app.post(
    '/v1/drain',
    {
      schema: {
        tags: ['server'],
        summary: 'Take no new calls, or take them again',
        operationId: 'setDrain',
        description,
        body: DrainBody,
        response: { 200: DrainView, ...guarded(400) },
      },
    },
    async (request) => {
      const { on } = request.body;
      if (!admission.set(!on)) {
        throw new EarshotError('NOT_READY', 'This process runs without a host, which is who drains a node.');
      }
      return { ...(await view()), draining: on };
    },
  );
}
