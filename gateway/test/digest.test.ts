import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Authenticator, REALM } from '../src/admission/authenticator.ts';
import { parseCredentials, responseOf, secretOf } from '../src/admission/digest.ts';
import { authorizationFor, type DigestAnswer } from './support/digest-client.ts';

const user = { name: 'sbc', password: 'a pass:word, with "marks"' };
const authenticator = (): Authenticator => new Authenticator([{ name: 'other', password: 'x' }, user]);

/** Asks for a challenge and answers it. */
function answerOf(by: Authenticator, changes: Partial<DigestAnswer> = {}, nowMs = 0): string {
  const first = by.check(null, 'INVITE', nowMs);
  if (first.type !== 'challenge') throw new Error('no challenge');
  return authorizationFor(first.challenges[0]!, { ...user, method: 'INVITE', ...changes });
}

describe('the response of a digest', () => {
  // RFC 7616 section 3.9.1, the request of both examples.
  const asked = {
    username: 'Mufasa',
    realm: 'http-auth@example.org',
    nonce: '7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v',
    uri: '/dir/index.html',
    cnonce: 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ',
    nc: '00000001',
  };
  it.each([
    ['MD5', '8ca523f5e9506fed4657c9700eebdbec'],
    ['SHA-256', '753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1'],
  ] as const)('is that of the example of RFC 7616 for %s', (algorithm, response) => {
    const secret = secretOf(algorithm, asked.username, asked.realm, 'Circle of Life');
    expect(responseOf({ ...asked, algorithm }, secret, 'GET')).toBe(response);
  });
});

describe('a caller', () => {
  it('without credentials is challenged with SHA-256 and MD5, a header each', () => {
    const first = authenticator().check(null, 'INVITE', 0);
    expect(first).toMatchObject({ type: 'challenge', wrong: false });
    const challenges = first.type === 'challenge' ? first.challenges : [];
    expect(challenges.map((value) => /algorithm=([\w-]+)/.exec(value)?.[1])).toEqual(['SHA-256', 'MD5']);
    for (const value of challenges)
      expect(value).toMatch(/^Digest realm="earshot", nonce="[\w-]+", qop="auth"/);
  });

  it.each(['SHA-256', 'MD5'] as const)('who knows the password by %s is let in', (algorithm) => {
    const by = authenticator();
    expect(by.check(answerOf(by, { algorithm }), 'INVITE', 1_000)).toEqual({ type: 'known' });
  });

  it.each<[string, Partial<DigestAnswer>]>([
    ['the wrong password', { password: 'wrong' }],
    ['a name that nobody has', { name: 'nobody' }],
    ['the password of somebody else', { name: 'other' }],
    ['a response to another method', { method: 'REGISTER' }],
    ['another realm', { realm: 'elsewhere' }],
    ['no qop', { qop: null }],
    ['an algorithm that was not offered', { named: 'SHA-512-256' }],
  ])('with %s is challenged again, and not as stale', (_what, changes) => {
    const by = authenticator();
    const again = by.check(answerOf(by, changes), 'INVITE', 0);
    expect(again).toMatchObject({ type: 'challenge', wrong: true });
    if (again.type === 'challenge') expect(again.challenges.join()).not.toContain('stale');
  });

  it('whose request comes twice is taken once; the replay is stale', () => {
    const by = authenticator();
    const authorization = answerOf(by);
    expect(by.check(authorization, 'INVITE', 0).type).toBe('known');
    const replay = by.check(authorization, 'INVITE', 1);
    expect(replay).toMatchObject({ type: 'challenge', wrong: false });
    if (replay.type === 'challenge') expect(replay.challenges[0]).toContain('stale=true');
  });

  it('may use a nonce for many requests, which may overtake each other', () => {
    const by = authenticator();
    const first = by.check(null, 'INVITE', 0);
    const challenge = first.type === 'challenge' ? first.challenges[1]! : '';
    const send = (count: number) =>
      by.check(
        authorizationFor(challenge, { ...user, method: 'INVITE', algorithm: 'MD5', count }),
        'INVITE',
        5,
      ).type;
    expect([3, 1, 2, 40].map(send)).toEqual(['known', 'known', 'known', 'known']);
    // Too old to tell, come twice, and no count.
    expect([4, 40, 0].map(send)).toEqual(['challenge', 'challenge', 'challenge']);
    expect(send(39)).toBe('known');
  });

  it('with a nonce that is too old, or of a gateway before this one, is told stale, and gets in with the new one', () => {
    const by = authenticator();
    const old = answerOf(by, {}, 0);
    for (const [authorization, nowMs] of [
      [old, 300_001],
      [answerOf(authenticator()), 0],
    ] as const) {
      const stale = by.check(authorization, 'INVITE', nowMs);
      if (stale.type !== 'challenge') throw new Error('let in');
      expect(stale.challenges[0]).toContain('stale=true');
      const fresh = authorizationFor(stale.challenges[0]!, { ...user, method: 'INVITE' });
      expect(by.check(fresh, 'INVITE', nowMs).type).toBe('known');
    }
  });

  it('may send credentials for others on the way in the same header', () => {
    const by = authenticator();
    const foreign = 'Digest username="a, Digest b", realm="proxy", nonce="n", uri="sip:x", response="00"';
    expect(by.check(`${foreign}, ${answerOf(by)}`, 'INVITE', 0).type).toBe('known');
  });
});

describe('nonces in use', () => {
  it('are forgotten when there are too many, and those forgotten are stale, not fresh', () => {
    const by = authenticator();
    const first = answerOf(by, {}, 0);
    expect(by.check(first, 'INVITE', 1).type).toBe('known');
    for (let n = 0; n < 10_000; n++)
      expect(by.check(answerOf(by, { algorithm: 'MD5' }, 2), 'INVITE', 2).type).toBe('known');
    expect(by.check(first, 'INVITE', 3).type).toBe('challenge');
    expect(by.check(answerOf(by, {}, 4), 'INVITE', 4).type).toBe('known');
  });
});

describe('reading Authorization', () => {
  it('never throws, and finds no credentials in what has none', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 300 }), (text) => {
        expect(parseCredentials(text, REALM)).toBeNull();
        expect(parseCredentials(`Digest ${text}`, 'a realm that no short text names')).toBeNull();
      }),
    );
  });

  it('reads back what a caller writes, however it orders and quotes it', () => {
    const word = fc.string({ minLength: 1, maxLength: 20 }).filter((text) => /^[\x20-\x7e]+$/.test(text));
    fc.assert(
      fc.property(
        word,
        word,
        word,
        fc.integer({ min: 1, max: 0xffff_ffff }),
        fc.boolean(),
        (name, nonce, cnonce, nc, turned) => {
          const quoted = (text: string) => `"${text.replace(/["\\]/g, '\\$&')}"`;
          const parameters = [
            `username=${quoted(name)}`,
            `realm="${REALM}"`,
            `nonce=${quoted(nonce)}`,
            'uri="sip:srs@192.0.2.1"',
            'qop=auth',
            `nc=${nc.toString(16).padStart(8, '0')}`,
            `cnonce=${quoted(cnonce)}`,
            `response="${createHash('md5').update(name).digest('hex').toUpperCase()}"`,
          ];
          if (turned) parameters.reverse();
          expect(parseCredentials(`digest ${parameters.join(' ,  ')}`, REALM)).toMatchObject({
            username: name,
            nonce,
            cnonce,
            algorithm: 'MD5',
            response: createHash('md5').update(name).digest('hex'),
          });
        },
      ),
    );
  });
});
