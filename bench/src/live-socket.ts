import type { LiveMessage } from '@earshot/contracts';

/**
 * A client of /v1/live.
 * @param receive every message, in the order in which they come
 * @throws Error when it cannot connect
 */
export async function openLive(
  url: string,
  apiKey: string,
  receive: (message: LiveMessage) => void,
): Promise<WebSocket> {
  // Node's WebSocket takes headers as its second argument; the browser type that it has does not say so.
  const options = { headers: { authorization: `Bearer ${apiKey}` } } as unknown as string[];
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/v1/live`, options);
  socket.addEventListener('message', (event) => receive(JSON.parse(String(event.data)) as LiveMessage));
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve);
    socket.addEventListener('error', () => reject(new Error('cannot connect to /v1/live')));
  });
  return socket;
}
