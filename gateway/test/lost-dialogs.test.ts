import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { siprecInvite } from './support/bodies.ts';
import { Rig } from './support/rig.ts';
import { until } from './support/until.ts';

let rig: Rig;
afterEach(() => rig.stop());

/** As drachtio-server is after the death of its application: it answers 481 to whatever comes in those dialogs. */
async function forgetDialogs(): Promise<void> {
  rig.gateway.stop();
  await rig.endpoint.close();
  rmSync(join(rig.folder, 'dialogs'), { recursive: true, force: true });
  await rig.startEndpoint();
  await rig.startGateway();
}

describe('a call whose dialog the SIP server has forgotten', () => {
  it('goes on while RTP comes, and ends with rtp-timeout when that ends, though its BYE cannot be sent', async () => {
    rig = await Rig.start();
    const client = await rig.client();
    const dialog = client.dialog();
    await dialog.invite(siprecInvite);
    const { leg } = rig.media[0]!.of('leg.open')[0]!;
    await forgetDialogs();
    await until('leg.sync', () => rig.media[0]!.of('leg.sync')[1]);
    expect([...rig.media[0]!.legs.keys()]).toEqual([leg.legId]);

    expect((await dialog.bye()).status).toBe(481);
    expect(rig.gateway.liveCalls).toBe(1);
    expect(rig.media[0]!.legs.size).toBe(1);

    rig.media[0]!.send({ type: 'leg.timeout', legId: leg.legId });
    const ended = await until('call.ended', () => rig.transcripts.of('call.ended')[0], 30_000);
    expect(ended).toMatchObject({ callId: leg.callId, endReason: 'rtp-timeout' });
    await until('the call is gone', () => rig.gateway.liveCalls === 0, 30_000);
    expect(rig.media[0]!.legs.size).toBe(0);
    expect((await client.dialog().invite(siprecInvite)).status).toBe(200);
  });
});
