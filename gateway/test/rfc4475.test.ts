import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { INVALID } from '../../sip-endpoint/test/rfc4475/invalid.ts';
import { LAYERS } from '../../sip-endpoint/test/rfc4475/layers.ts';
import type { TortureMessage } from '../../sip-endpoint/test/rfc4475/message.ts';
import { VALID } from '../../sip-endpoint/test/rfc4475/valid.ts';
import { siprecInvite } from './support/bodies.ts';
import { Rig } from './support/rig.ts';
import { until } from './support/until.ts';

/**
 * What of RFC 4475 reaches the application, answered by it; all 49 messages, and what the endpoint refuses by itself, are in
 * sip-endpoint's tests.
 */
const OURS = [...VALID, ...INVALID, ...LAYERS].filter(({ outcome }) =>
  [200, 406, 415, 420].includes(Number(outcome)),
);

let rig: Rig;
afterEach(() => rig.stop());

/** With `rport` in the topmost Via, so that the answer finds a port of the test's; all else is as in the RFC. */
const withRport = ({ bytes }: TortureMessage): Buffer =>
  Buffer.from(bytes.toString('latin1').replace(/^(v|via)\s*:[^\r]*/im, '$&;rport'), 'latin1');

async function finalStatus(message: TortureMessage, port: number): Promise<number> {
  const socket = createSocket('udp4');
  const statuses: number[] = [];
  socket.on('message', (bytes) => statuses.push(Number(bytes.toString('latin1', 8, 11))));
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  socket.send(withRport(message), port, '127.0.0.1');
  const final = await until(`an answer to ${message.name}`, () => statuses.find((status) => status >= 200));
  socket.close();
  return final;
}

describe('the messages of RFC 4475 that reach the application', () => {
  it.each(OURS)('$name is answered $outcome, and a good call right after 200', async (message) => {
    rig = await Rig.start();
    expect(await finalStatus(message, rig.endpoint.udpPort)).toBe(message.outcome);
    expect((await (await rig.client()).dialog().invite(siprecInvite)).status).toBe(200);
  });
});

it('OPTIONS that require what nobody knows are refused with its name', async () => {
  rig = await Rig.start();
  const client = await rig.client();
  const refused = await client.ask('OPTIONS', ['Require: nothingSupportsThis, siprec']);
  expect(refused.status).toBe(420);
  expect(refused.headers.get('unsupported')?.toLowerCase()).toBe('nothingsupportsthis');
  expect((await client.ask('OPTIONS')).status).toBe(200);
});

it.each([
  ['application/sdp, text/plain', 200],
  ['APPLICATION/SDP;level=1', 200],
  ['*/*', 200],
  ['multipart/mixed', 406],
])('an INVITE with Accept: %s is answered %i', async (accept, status) => {
  rig = await Rig.start();
  const dialog = (await rig.client()).dialog();
  const headers = [...(siprecInvite.headers ?? []), `Accept: ${accept}`];
  expect((await dialog.invite({ ...siprecInvite, headers })).status).toBe(status);
});
