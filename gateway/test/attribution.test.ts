import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { agentBy, type AgentRules, userOf } from '../src/dialects/agent-rules.ts';
import { attribute } from '../src/dialects/attribution.ts';
import type { ChannelIdentity, Finding, Speaker } from '../src/dialects/invite.ts';

const party = (aor: string | null, name: string | null = null, more: Partial<Finding> = {}): Finding => ({
  speakers: aor === null && name === null ? [] : [{ aor, name } satisfies Speaker],
  certainty: 1,
  how: 'metadata: sends the label',
  claims: [],
  ...more,
});

const rate = (
  findings: readonly Finding[],
  rules: Partial<AgentRules> = {},
  labels: readonly (string | null)[] = [],
): ChannelIdentity[] =>
  attribute(
    findings.map((_finding, index) => ({ label: labels[index] ?? null, codec: 'PCMU' })),
    findings,
    { numbers: [], domains: [], ...rules },
    [],
  );

const roles = (channels: readonly ChannelIdentity[]): [string, number][] =>
  channels.map(({ role, score }) => [role, score]);

describe('the role of a channel', () => {
  it('is unknown, at a score of 0, where nothing speaks for one', () => {
    const [first] = rate([party('sip:x@example.test'), party('sip:y@example.test')]);
    expect(first).toMatchObject({ role: 'unknown', score: 0 });
    expect(first!.evidence).toEqual(['party by metadata: sends the label (1)', 'role unknown by default']);
  });

  it('is the agent’s where a configured number says so, and the other’s of two the customer’s', () => {
    const channels = rate([party('sip:+4930555010199@a.test'), party('sip:1234@b.test')], {
      numbers: ['1xxx'],
    });
    expect(channels.map(({ role }) => role)).toEqual(['customer', 'agent']);
    expect(channels[1]!.evidence).toContain('agent by AGENT_NUMBERS (0.98)');
    expect(channels[0]!.evidence).toContain(
      'customer by AGENT_NUMBERS and AGENT_DOMAINS, who name only the others (0.9)',
    );
  });

  it('is the agent’s on both channels of a call between two agents', () => {
    const channels = rate([party('sip:1000@pbx.test'), party('sip:1001@pbx.test', 'Customer Care')], {
      domains: ['pbx.test'],
    });
    expect(roles(channels)).toEqual([
      ['agent', 0.98],
      ['agent', 0.5],
    ]);
  });

  it('rests on a configured rule more than on everything that a device says', () => {
    const channels = rate([party('sip:1000@pbx.test'), party('sip:5@far.test')], { domains: ['pbx.test'] }, [
      'inbound',
      'outbound',
    ]);
    expect(channels.map(({ role }) => role)).toEqual(['agent', 'customer']);
    expect(channels[0]!.score).toBe(0.5);
  });

  it('gains where witnesses agree and loses where they do not', () => {
    const [label] = rate([party(null), party(null)], {}, ['agent']);
    const [both] = rate([party('sip:agent12@x.test'), party(null)], {}, ['agent']);
    const [against] = rate([party(null, 'Customer Service'), party(null)], {}, ['agent']);
    expect(label).toMatchObject({ role: 'agent', score: 0.85 });
    expect(both).toMatchObject({ role: 'agent', score: 0.94 });
    expect(against).toMatchObject({ role: 'agent' });
    // 0.85 for, 0.5 against.
    expect(against!.score).toBe(0.43);
  });

  it('follows from the other channel’s, a little less sure', () => {
    const channels = rate([party(null), party(null)], {}, ['agent', '2']);
    expect(roles(channels)).toEqual([
      ['agent', 0.85],
      ['customer', 0.77],
    ]);
    expect(channels[1]).toMatchObject({ known: 'no' });
    expect(channels[1]!.evidence).toContain('customer by the other channel, the agent (0.77)');
  });

  it('changes to the opposite of a surer one: two parties are not both the customer', () => {
    const channels = rate([party(null), party(null, 'Customer Service')], {}, ['caller']);
    expect(channels.map(({ role }) => role)).toEqual(['customer', 'agent']);
  });

  it('is told by the number plan, where an internal number talks with an external one', () => {
    const channels = rate([party('sip:4002@x.test'), party('sip:00493055501@y.test')]);
    expect(roles(channels)).toEqual([
      ['agent', 0.5],
      ['customer', 0.5],
    ]);
    for (const other of ['sip:4003@x.test', 'sip:bram@x.test']) {
      expect(rate([party('sip:4002@x.test'), party(other)])[0]!.role).toBe('unknown');
    }
  });

  it('is mixed where several are on one stream, and says how many', () => {
    const both = {
      ...party('sip:a@x.test'),
      speakers: [party('sip:a@x.test'), party('sip:b@x.test')].flatMap(({ speakers }) => speakers),
    };
    const [channel] = rate([both]);
    expect(channel).toMatchObject({ role: 'mixed', score: 1, participant: { name: null, aor: null } });
    expect(channel!.participants?.map(({ aor }) => aor)).toEqual(['sip:a@x.test', 'sip:b@x.test']);
    expect(channel!.evidence).toContain('mixed by 2 participants on one stream (1)');
  });

  it('is not made up for a third party, nor for who talks with a mixed stream', () => {
    const three = rate([party(null), party(null), party(null)], {}, ['agent', '2', '3']);
    expect(three.map(({ role }) => role)).toEqual(['agent', 'unknown', 'unknown']);
    const mixed = rate([party(null), party(null, null, { mixed: true, certainty: 0.9 })], {}, ['agent']);
    expect(mixed.map(({ role }) => role)).toEqual(['agent', 'mixed']);
  });

  it('is not told by who called alone, which only tips the scale', () => {
    const called = (aor: string, calling: boolean): Finding => ({
      ...party(aor),
      speakers: [{ name: null, aor, calling }],
    });
    const [alone] = rate([called('sip:a@x.test', true), called('sip:b@x.test', false)]);
    expect(alone).toMatchObject({ role: 'unknown', score: 0 });
    expect(alone!.evidence).toContain('customer by having called (0.2)');
    const inbound = rate([called('sip:+4930555@x.test', true), called('sip:1001@x.test', false)]);
    expect(roles(inbound)).toEqual([
      ['customer', 0.6],
      ['agent', 0.6],
    ]);
    const outbound = rate([called('sip:1001@x.test', true), called('sip:+4930555@x.test', false)]);
    expect(roles(outbound)).toEqual([
      ['agent', 0.4],
      ['customer', 0.4],
    ]);
  });

  it('of a supervisor is other', () => {
    const channels = rate([party(null, 'Asha'), party('sip:supervisor@x.test'), party(null)], {}, [
      'agent',
      '2',
      'customer',
    ]);
    expect(channels.map(({ role }) => role)).toEqual(['agent', 'other', 'customer']);
  });

  it('counts a guess of who it is for less', () => {
    const [said] = rate([party('sip:agent1@x.test'), party(null)]);
    const [guessed] = rate([party('sip:agent1@x.test', null, { certainty: 0.6 }), party(null)]);
    expect(said).toMatchObject({ score: 0.6, known: 'said' });
    expect(guessed).toMatchObject({ score: 0.36, known: 'guessed' });
  });

  it('has a score from 0 to 1 and evidence, whatever there is', () => {
    const text = fc.option(
      fc.constantFrom('agent', 'Customer', '1001', 'sip:1@x', '+49301234567', '', '%', 'ivr'),
    );
    const claim = fc.record({
      role: fc.constantFrom('agent' as const, 'customer' as const, 'other' as const),
      weight: fc.double({ min: 0.01, max: 1, noNaN: true }),
      by: fc.constant('x'),
    });
    const finding = fc.record({
      speakers: fc.array(fc.record({ name: text, aor: text }), { maxLength: 3 }),
      certainty: fc.double({ min: 0, max: 1, noNaN: true }),
      how: fc.constant('x'),
      claims: fc.array(claim, { maxLength: 3 }),
      mixed: fc.boolean(),
    });
    fc.assert(
      fc.property(
        fc.array(finding, { maxLength: 8 }),
        fc.array(text, { maxLength: 8 }),
        (findings, labels) => {
          const channels = rate(findings, { numbers: ['1xxx', '+49*'], domains: ['x'] }, labels);
          expect(channels).toHaveLength(findings.length);
          for (const { role, score, evidence } of channels) {
            expect(score).toBeGreaterThanOrEqual(role === 'unknown' ? 0 : 0.25);
            expect(score).toBeLessThanOrEqual(1);
            expect(evidence.length).toBeGreaterThan(0);
          }
        },
      ),
    );
  });
});

const speaker = (aor: string, ...aliases: string[]): Speaker => ({ name: null, aor, aliases });

describe('AGENT_NUMBERS', () => {
  it.each([
    ['1234', '1xxx', true],
    ['12345', '1xxx', false],
    ['+4989123456', '+4989123*', true],
    ['004989123456', '+4989123*', true],
    ['4989123456', '+4989123*', false],
    ['+4989123456', '4989123*', true],
    ['+49 (89) 123-456', '+4989123456', true],
    ['Agent12', 'agent*', true],
    ['max', 'max', true],
    ['ma5', 'max', false],
    ['1.5a', '1.5a', true],
    ['115a', '1.5a', false],
  ])('with %s and the pattern %s: %s', (user, pattern, matches) => {
    const rules = { numbers: [pattern], domains: [] };
    expect(agentBy(speaker(`sip:${user}@x.test;user=phone`), rules) === 'AGENT_NUMBERS').toBe(matches);
  });

  it('means any nameID of a participant', () => {
    const rules = { numbers: ['1001'], domains: [] };
    expect(agentBy(speaker('sip:asha@x.test', 'sip:1001@y.test'), rules)).toBe('AGENT_NUMBERS');
    expect(agentBy(speaker('sip:asha@x.test'), rules)).toBeNull();
  });
});

describe('AGENT_DOMAINS', () => {
  it.each([
    ['sip:asha@pbx.test', true],
    ['sips:asha@PBX.Test:5061;transport=tls', true],
    ['sip:asha@a.pbx.test', true],
    ['sip:asha@notpbx.test', false],
    ['sip:pbx.test@x.test', false],
    ['tel:+49-89-123;phone-context=pbx.test', false],
  ])('that is pbx.test, and %s: %s', (aor, matches) => {
    const rules = { numbers: [], domains: ['PBX.test'] };
    expect(agentBy(speaker(aor), rules) === 'AGENT_DOMAINS').toBe(matches);
  });

  it('may be an address', () => {
    const rules = { numbers: [], domains: ['[2001:db8::1]', '192.0.2.7'] };
    expect(agentBy(speaker('sip:1:secret@[2001:db8::1]:5060'), rules)).toBe('AGENT_DOMAINS');
    expect(agentBy(speaker('sip:1@192.0.2.7:5060'), rules)).toBe('AGENT_DOMAINS');
  });
});

describe('the user of an address', () => {
  it.each([
    ['sip:+49%20(89)%20123-456@x.test', '+4989123456'],
    ['sips:Agent%2012@PBX.Test:5061', 'agent 12'],
    ['tel:+49-89-123;phone-context=x', '+4989123'],
    ['sip:4711', '4711'],
    ['sip:pbx.test', null],
    ['sip:100%@x.test', '100%'],
    ['sip:1:secret@[2001:db8::1]:5060', '1'],
  ])('%s is %s', (aor, user) => {
    expect(userOf(aor)).toBe(user);
  });
});
