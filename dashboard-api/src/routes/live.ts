import type { LiveMessage } from '@earshot/contracts';
import { Type } from '@sinclair/typebox';
import type { WebSocket } from '@fastify/websocket';
import type { FastifyRequest } from 'fastify';
import type { Outlet } from '../live/client.ts';
import type { Guard } from '../plugins/auth.ts';
import { problemOf, sendProblem } from '../plugins/problems.ts';
import { guarded } from '../schemas/common.ts';
import type { App, Dependencies } from '../types.ts';

const PING_MS = 20_000;
/** Close codes of RFC 6455 section 7.4.1: going away, and try again later (IANA). */
const GOING_AWAY = 1001;
const TRY_AGAIN_LATER = 1013;
/** Of our own, as in HTTP: the session that let the client in is over. */
const SIGNED_OUT = 4401;

const LiveQuery = Type.Object({
  after: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: Number.MAX_SAFE_INTEGER,
      description: 'Begin with the logged events after this seq. Without it: with what is new.',
    }),
  ),
  callId: Type.Optional(Type.String({ maxLength: 100, description: 'Only the messages of this call.' })),
});

/** The words as they are spoken: logged events and partials over WebSocket. */
export function registerLive(app: App, deps: Dependencies, guard: Guard): void {
  app.route({
    method: 'GET',
    url: '/v1/live',
    schema: {
      tags: ['events'],
      summary: 'Live events and partials, over WebSocket',
      operationId: 'live',
      description:
        'Messages are JSON text: first {type: hello, epoch, seq}, then logged events in seq order and segment.partial. {type: behind, seq} is the last one to a client that is too slow: come again with after=seq. A browser needs its session and an Origin of this site, and is closed with 4401 when the session ends.',
      querystring: LiveQuery,
      response: {
        101: { description: 'The connection is a WebSocket now.', type: 'null' },
        ...guarded(400, 426),
      },
    },
    handler: (request, reply) => {
      void reply.header('upgrade', 'websocket').header('connection', 'upgrade');
      const detail = 'This address speaks WebSocket only.';
      return sendProblem(reply, problemOf('REQUEST_INVALID', detail, request.id, { status: 426 }));
    },
    wsHandler: (socket, request) => {
      const { after, callId } = request.query;
      const signedIn = (ended: () => void): (() => void) => guard.whileSignedIn(request, ended);
      void serve(deps, socket, signedIn, after ?? null, callId ?? null);
    },
  });
}

async function serve(
  { hub }: Dependencies,
  socket: WebSocket,
  whileSignedIn: (ended: () => void) => () => void,
  after: number | null,
  callId: string | null,
): Promise<void> {
  const say = (message: LiveMessage): void => socket.send(JSON.stringify(message));
  let code = GOING_AWAY;
  let reason = '';
  const outlet: Outlet = {
    event: (_event, json) => socket.send(json),
    partial: (json) => socket.send(json),
    behind: (seq) => {
      code = TRY_AGAIN_LATER;
      say({ type: 'behind', seq });
    },
    get bufferedBytes() {
      return socket.bufferedAmount;
    },
    end: () => socket.close(code, reason),
  };
  const { epoch, seq } = hub.tail;
  say({ type: 'hello', epoch, seq });
  const client = hub.join(outlet, { callId, after: after ?? seq, partials: true });
  const unwatch = whileSignedIn(() => {
    code = SIGNED_OUT;
    reason = 'The session is over: sign in again.';
    hub.leave(client);
  });
  let answered = true;
  const ping = setInterval(() => {
    if (!answered) socket.terminate();
    answered = false;
    socket.ping();
  }, PING_MS);
  socket.on('pong', () => (answered = true));
  socket.on('close', () => {
    clearInterval(ping);
    unwatch();
    hub.leave(client);
  });
  await hub.catchUp(client);
}

/** Kept here, beside its only user: a WebSocket that breaks is an everyday event, not an error. */
export const websocketOptions = {
  options: { maxPayload: 4096, perMessageDeflate: false },
  errorHandler: (error: Error, socket: WebSocket, request: FastifyRequest): void => {
    request.log.debug({ err: error }, 'websocket broke');
    socket.terminate();
  },
};
