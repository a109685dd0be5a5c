import { EventView } from '@earshot/contracts';
import { Type } from '@sinclair/typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Outlet } from '../live/client.ts';
import type { Guard } from '../plugins/auth.ts';
import { listEvents } from '../queries/events.ts';
import { guarded, ref } from '../schemas/common.ts';
import type { App, Dependencies } from '../types.ts';

const HEARTBEAT_MS = 15_000;

const EventList = Type.Object(
  {
    items: Type.Array(ref(EventView)),
    nextAfter: Type.Integer({ description: 'Ask with after=nextAfter for what follows.' }),
  },
  { description: 'Events in seq order. Empty when nothing follows yet.' },
);

const EventsQuery = Type.Object({
  after: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: Number.MAX_SAFE_INTEGER,
      description: 'Events with a higher seq. The list begins at 0 without it, a stream at what is new.',
    }),
  ),
  callId: Type.Optional(Type.String({ maxLength: 100, description: 'Only the events of this call.' })),
  limit: Type.Integer({ minimum: 1, maximum: 1000, default: 100, description: 'Events in the list.' }),
});

/** The event log: as a list, or as a stream of server-sent events that goes on. */
export function registerEvents(app: App, deps: Dependencies, guard: Guard): void {
  app.get(
    '/v1/events',
    {
      schema: {
        tags: ['events'],
        summary: 'Events, as a list or as a stream',
        operationId: 'listEvents',
        description:
          'With Accept: text/event-stream, server-sent events: id is seq, event is the type, data the event. A stream that was cut goes on with Last-Event-ID; one by session ends when the session does.',
        headers: Type.Object({
          'last-event-id': Type.Optional(
            Type.String({
              pattern: '^\\d{1,15}$',
              description: 'The last seq that was received. Before after.',
            }),
          ),
        }),
        querystring: EventsQuery,
        response: {
          200: {
            description: 'The events.',
            content: {
              'application/json': { schema: EventList },
              'text/event-stream': { schema: Type.String() },
            },
          },
          ...guarded(400),
        },
      },
    },
    async (request, reply) => {
      const { after, callId, limit } = request.query;
      if (wantsStream(request)) {
        const last = request.headers['last-event-id'];
        const from = last === undefined ? (after ?? deps.hub.tail.seq) : Number(last);
        return stream(deps, guard, request, reply, from, callId ?? null);
      }
      const items = await listEvents(deps.db, { after: after ?? 0, callId: callId ?? null, limit });
      return { items, nextAfter: items.at(-1)?.seq ?? after ?? 0 };
    },
  );
}

const wantsStream = (request: FastifyRequest): boolean =>
  (request.headers.accept ?? '').toLowerCase().includes('text/event-stream');

async function stream(
  { hub }: Dependencies,
  guard: Guard,
  request: FastifyRequest,
  reply: FastifyReply,
  after: number,
  callId: string | null,
): Promise<void> {
  void reply.type('text/event-stream').header('x-accel-buffering', 'no');
  const headers = reply.getHeaders();
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(200, headers as Record<string, string>);
  // How soon a browser comes again after a cut.
  raw.write('retry: 1000\n\n');
  const outlet: Outlet = {
    event: (event, json) => raw.write(`id: ${event.seq}\nevent: ${event.type}\ndata: ${json}\n\n`),
    partial: () => undefined,
    behind: (seq) => raw.write(`event: behind\ndata: ${JSON.stringify({ type: 'behind', seq })}\n\n`),
    get bufferedBytes() {
      return raw.writableLength;
    },
    end: () => raw.end(),
  };
  const client = hub.join(outlet, { callId, after, partials: false });
  const unwatch = guard.whileSignedIn(request, () => hub.leave(client));
  let stuckAt = -1;
  const heartbeat = setInterval(() => {
    // One that takes nothing at all between two heartbeats is gone without having said so.
    if (raw.writableNeedDrain && raw.writableLength === stuckAt) raw.destroy();
    stuckAt = raw.writableNeedDrain ? raw.writableLength : -1;
    raw.write(': still here\n\n');
  }, HEARTBEAT_MS);
  request.raw.socket.setTimeout(0);
  raw.on('close', () => {
    clearInterval(heartbeat);
    unwatch();
    hub.leave(client);
  });
  raw.on('error', () => hub.leave(client));
  await hub.catchUp(client);
}
