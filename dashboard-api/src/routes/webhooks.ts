import { randomBytes, randomInt } from 'node:crypto';
import { DeliveryView, EarshotError, EVENT_TYPES, WebhookView } from '@earshot/contracts';
import { Type } from '@sinclair/typebox';
import { notFound } from '../plugins/problems.ts';
import {
  changeWebhook,
  createWebhook,
  deleteWebhook,
  findWebhook,
  listDeliveries,
  listWebhooks,
  queueNewestEvent,
  queueReplay,
} from '../queries/webhooks.ts';
import { guarded, idParams, listOf, oneOf, PageQuery, ref } from '../schemas/common.ts';
import type { App, Dependencies } from '../types.ts';
import { webhookUrlFault } from '../webhook-url.ts';

const DEFAULT_EVENTS = ['call.ended', 'transcript.completed'];
/** One replay puts at most this many events into the outbox; the answer says whether there are more. */
const REPLAY_LIMIT = 10_000;

const Url = Type.String({
  format: 'uri',
  maxLength: 2000,
  description: 'https to a public address. http, and loopback, while HTTP itself is bound to loopback.',
});
const Events = Type.Array(oneOf(EVENT_TYPES, 'A type of event.'), {
  minItems: 1,
  uniqueItems: true,
  description: 'The types of events that are sent.',
});
const Active = Type.Boolean({ description: 'false: nothing is sent.' });
const strict = { additionalProperties: false };
const params = idParams('The id of the webhook.');

const CreatedWebhook = Type.Object({
  ...WebhookView.properties,
  secret: Type.String({ description: 'The signing secret (whsec_…). It is shown this once.' }),
});

const Queued = Type.Object({
  seq: Type.Integer(),
  event: Type.String(),
  callId: Type.String(),
});

const QueuedMany = Type.Object({
  queued: Type.Integer({ description: 'Deliveries that were queued.' }),
  through: Type.Union([Type.Integer(), Type.Null()], { description: 'The last seq among them.' }),
  more: Type.Boolean({ description: 'There are more: ask again with after=through.' }),
});

/** @returns whsec_ and 24 to 32 random bytes in base64, as Standard Webhooks 1.0.0 asks for */
const newWebhookSecret = (): string => `whsec_${randomBytes(randomInt(24, 33)).toString('base64')}`;

export function registerWebhooks(app: App, { db, loopbackOnly }: Dependencies): void {
  const checkUrl = (url: string): void => {
    const fault = webhookUrlFault(url, loopbackOnly);
    if (fault !== null) throw new EarshotError('WEBHOOK_URL_FORBIDDEN', `The address is refused: ${fault}.`);
  };

  app.post(
    '/v1/webhooks',
    {
      schema: {
        tags: ['webhooks'],
        summary: 'Register a webhook',
        operationId: 'createWebhook',
        body: Type.Object({ url: Url, events: Type.Optional(Events), active: Type.Optional(Active) }, strict),
        response: { 201: CreatedWebhook, ...guarded(400) },
      },
    },
    async (request, reply) => {
      const { url, events, active } = request.body;
      checkUrl(url);
      const secret = newWebhookSecret();
      const id = `wh_${randomBytes(12).toString('hex')}`;
      const webhook = await createWebhook(db, {
        id,
        url: new URL(url).href,
        events: events ?? DEFAULT_EVENTS,
        secret,
        active: active ?? true,
      });
      return reply
        .code(201)
        .header('location', `/v1/webhooks/${id}`)
        .send({ ...webhook, secret });
    },
  );

  app.get(
    '/v1/webhooks',
    {
      schema: {
        tags: ['webhooks'],
        summary: 'Webhooks, newest first',
        operationId: 'listWebhooks',
        querystring: Type.Object(PageQuery),
        response: { 200: listOf(WebhookView, 'A page of webhooks.'), ...guarded(400) },
      },
    },
    async (request) => listWebhooks(db, request.query),
  );

  app.get(
    '/v1/webhooks/:id',
    {
      schema: {
        tags: ['webhooks'],
        summary: 'One webhook',
        operationId: 'getWebhook',
        params,
        response: { 200: ref(WebhookView), ...guarded(400, 404) },
      },
    },
    async (request) => known(await findWebhook(db, request.params.id), request.params.id),
  );

  app.patch(
    '/v1/webhooks/:id',
    {
      schema: {
        tags: ['webhooks'],
        summary: 'Change a webhook',
        operationId: 'changeWebhook',
        params,
        body: Type.Partial(Type.Object({ url: Url, events: Events, active: Active }), strict),
        response: { 200: ref(WebhookView), ...guarded(400, 404) },
      },
    },
    async (request) => {
      const { url } = request.body;
      if (url !== undefined) checkUrl(url);
      return known(await changeWebhook(db, request.params.id, request.body), request.params.id);
    },
  );

  app.delete(
    '/v1/webhooks/:id',
    {
      schema: {
        tags: ['webhooks'],
        summary: 'Remove a webhook and its deliveries',
        operationId: 'deleteWebhook',
        params,
        response: { 204: Type.Null({ description: 'It is gone.' }), ...guarded(400, 404) },
      },
    },
    async (request, reply) => {
      if (!(await deleteWebhook(db, request.params.id))) {
        throw notFound('WEBHOOK_NOT_FOUND', request.params.id);
      }
      return reply.code(204).send(null);
    },
  );

  app.post(
    '/v1/webhooks/:id/test',
    {
      schema: {
        tags: ['webhooks'],
        summary: 'Send the newest event again, as a test',
        operationId: 'testWebhook',
        description:
          'The newest event of a type the webhook asks for, or of any type. See /deliveries for how it went.',
        params,
        response: { 202: Queued, ...guarded(400, 404) },
      },
    },
    async (request, reply) => {
      known(await findWebhook(db, request.params.id), request.params.id);
      const queued = await queueNewestEvent(db, request.params.id);
      if (queued === null) {
        throw new EarshotError('NOT_FOUND', 'There is no event to send yet: place a call first.');
      }
      return reply.code(202).send({ seq: queued.seq, event: queued.event, callId: queued.call_id });
    },
  );

  app.get(
    '/v1/webhooks/:id/deliveries',
    {
      schema: {
        tags: ['webhooks'],
        summary: 'Deliveries of a webhook, newest first',
        operationId: 'listDeliveries',
        params,
        querystring: Type.Object(PageQuery),
        response: { 200: listOf(DeliveryView, 'A page of deliveries.'), ...guarded(400, 404) },
      },
    },
    async (request) => {
      known(await findWebhook(db, request.params.id), request.params.id);
      return listDeliveries(db, request.params.id, request.query);
    },
  );

  app.post(
    '/v1/webhooks/:id/replay',
    {
      schema: {
        tags: ['webhooks'],
        summary: 'Send events again from a seq on',
        operationId: 'replayWebhook',
        params,
        body: Type.Object(
          {
            after: Type.Integer({
              minimum: 0,
              maximum: Number.MAX_SAFE_INTEGER,
              description: 'Events with a higher seq are sent.',
            }),
          },
          strict,
        ),
        response: { 202: QueuedMany, ...guarded(400, 404) },
      },
    },
    async (request, reply) => {
      known(await findWebhook(db, request.params.id), request.params.id);
      const replay = await queueReplay(db, request.params.id, request.body.after, REPLAY_LIMIT);
      return reply.code(202).send({ queued: replay.queued, through: replay.through, more: replay.more });
    },
  );
}

function known<T>(webhook: T | null, id: string): T {
  if (webhook === null) throw notFound('WEBHOOK_NOT_FOUND', id);
  return webhook;
}
