import { describe, expect, it } from 'vitest';
import { parseMetadata, stitchOf } from '../src/dialects/index.ts';
import { headersOf } from './support/headers.ts';

const bridge = (parameters: string, host = 'cucm.example.test') =>
  stitchOf(headersOf({ from: `"Asha" <sip:4002@${host};${parameters}>;tag=98~2` }), null);

describe('dialogs of Cisco’s built-in bridge', () => {
  it('of one call have one key', () => {
    const near = bridge('x-nearend;x-refci=31904412;x-nearenddevice=SEP1;x-farendrefci=31904411');
    const far = bridge('x-farend;x-refci=31904412;x-nearenddevice=SEP1;x-farendrefci=31904411');
    expect(near).toMatchObject({ kind: 'sides' });
    expect(far).toEqual(near);
  });

  it('go by the near end’s reference where both ends have their own', () => {
    const near = bridge('x-nearend;x-refci=11;x-farendrefci=12');
    expect(bridge('x-farend;x-refci=12;x-nearendrefci=11')?.key).toBe(near?.key);
  });

  it('of other calls or other clusters have other keys', () => {
    const keys = [
      bridge('x-nearend;x-refci=11'),
      bridge('x-nearend;x-refci=12'),
      bridge('x-nearend;x-refci=11', 'cucm2.example.test'),
      bridge('x-nearend;x-refci=11;x-nearendclusterid=east'),
    ].map((stitch) => stitch?.key);
    expect(new Set(keys).size).toBe(4);
    expect(bridge('x-nearend;x-refci=11;x-nearendclusterid=east', 'other.example.test')?.key).toBe(keys[3]);
  });

  it('may be folded and in any case of letters; without a reference they are calls of their own', () => {
    expect(bridge('\r\n X-NearEnd;\r\n X-RefCI=11')?.key).toBe(bridge('x-farend;x-refci=11')?.key);
    expect(bridge('x-nearend;x-refci=')).toBeNull();
    expect(bridge('x-refci=11')).toBeNull();
  });
});

describe('dialogs of NetSapiens', () => {
  const group = (id: string, agent = 'Netsapiens SiPbx 1-1205c') =>
    stitchOf(
      headersOf({ 'user-agent': agent }),
      parseMetadata(
        `<recording><group group_id="${id}"/><session session_id="${Math.random()}"/></recording>`,
      ),
    );

  it('are chained by their group', () => {
    expect(group('g1')).toEqual({ key: 'netsapiens g1', kind: 'chain' });
    expect(group('g1')).toEqual(group('g1'));
    expect(group('g2')?.key).not.toBe(group('g1')?.key);
  });

  it('are not those of others who have groups', () => {
    expect(group('g1', 'OpenSIPS')).toBeNull();
    expect(stitchOf(headersOf({ from: '<sip:a@b>' }), null)).toBeNull();
  });
});
