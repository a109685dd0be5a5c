import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { branchOf, header } from '../src/sip-message.ts';
import type { TransportName } from '../src/sip-transport.ts';
import { type Behaviour, FakeUas } from './fake-uas.ts';

const workspace = fileURLToPath(new URL('../', import.meta.url));
const scenarios = join(workspace, 'scenarios');
const sipp = '/usr/bin/sipp';
const scratch = mkdtempSync(join(tmpdir(), 'sipp-'));
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

interface Run {
  code: number | null;
  output: string;
  uas: FakeUas;
}

/** Runs a scenario for two calls of half a second and gives back SIPp's exit code: 0 is all calls well. */
async function run(name: string, transport: TransportName, behaviour: Behaviour = {}): Promise<Run> {
  await using uas = await FakeUas.open(transport, behaviour);
  const { host, port } = uas.address;
  const args = ['-sf', `scenarios/${name}`, '-inf', 'scenarios/callers.csv', '-s', 'recorder'];
  args.push(
    '-t',
    transport === 'udp' ? 'u1' : 't1',
    '-i',
    host,
    '-mi',
    host,
    '-d',
    '500',
    '-m',
    '2',
    '-r',
    '10',
  );
  args.push(
    '-nostdin',
    '-timeout',
    '15s',
    '-timeout_error',
    '-trace_err',
    '-error_file',
    join(scratch, 'errors.log'),
  );
  args.push(`${host}:${port}`);
  return await new Promise<Run>((resolve) => {
    execFile(sipp, args, { cwd: workspace }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : null;
      resolve({ code, output: stdout + stderr, uas });
    });
  });
}

describe('the SIPp scenarios', () => {
  const files = readdirSync(scenarios).filter((file) => file.endsWith('.xml'));

  it.each(files)('%s has balanced tags and Content-Length in every message', (file) => {
    const xml = readFileSync(join(scenarios, file), 'utf8');
    const messages = [...xml.matchAll(/<!\[CDATA\[([\s\S]*?)\]\]>/g)].map((match) => match[1] ?? '');
    expect(messages.length).toBeGreaterThan(0);
    for (const message of messages) expect(message).toMatch(/\n\s*Content-Length: (\[len\]|0)\n\s*\n/);
    const open: string[] = [];
    const markup = xml.replace(/<!\[CDATA\[[\s\S]*?\]\]>/g, '').replace(/<!--[\s\S]*?-->/g, '');
    for (const tag of markup.matchAll(/<(\/?)(\w+)(?:\s+\w+="[^"]*")*\s*(\/?)>/g)) {
      if (tag[1] === '/') expect(open.pop()).toBe(tag[2]);
      else if (tag[3] !== '/') open.push(tag[2] ?? '');
    }
    expect(open).toEqual([]);
  });

  describe.runIf(existsSync(sipp))('with SIPp (Debian: sip-tester)', () => {
    it.each(['udp', 'tcp'] as const)(
      'siprec.xml calls, speaks on the first stream and hangs up over %s',
      async (transport) => {
        const { code, output, uas } = await run('siprec.xml', transport);
        expect(code, output).toBe(0);
        expect(uas.calls.size).toBe(2);
        for (const call of uas.calls.values()) {
          expect(call).toMatchObject({ ended: true, acks: 1 });
          expect(header(call.invite, 'require')).toBe('siprec');
          expect(call.streams.map(({ label }) => label)).toEqual(['1', '2']);
          expect(call.streams[0]?.packets.length).toBeGreaterThan(15);
          const body = Buffer.from(call.invite.body).toString();
          expect(body).toMatch(/<name xml:lang="en">A\w+ Agent<\/name>/);
          const ports = [...body.matchAll(/^m=audio (\d+)/gm)].map((match) => match[1]);
          expect(new Set(ports).size).toBe(2);
        }
      },
    );

    it('siprec.xml fails when only one of two streams is answered', async () => {
      const { code } = await run('siprec.xml', 'udp', { mLines: 1 });
      expect(code).toBe(1);
    });

    it.each(['udp', 'tcp'] as const)('plain.xml calls and plays a mu-law file over %s', async (transport) => {
      const { code, output, uas } = await run('plain.xml', transport);
      expect(code, output).toBe(0);
      const voice = readFileSync(join(workspace, 'voices/delivery.agent.ul'));
      for (const call of uas.calls.values()) {
        expect(call).toMatchObject({ ended: true, acks: 1 });
        expect(call.streams).toHaveLength(1);
        const heard = Buffer.concat(call.streams[0]?.payload ?? []);
        expect(heard.length).toBeGreaterThan(15 * 160);
        expect(voice.subarray(0, heard.length).equals(heard)).toBe(true);
      }
    });

    it('options.xml is answered', async () => {
      const { code, output, uas } = await run('options.xml', 'udp');
      expect(code, output).toBe(0);
      expect(uas.heard('OPTIONS')).toHaveLength(2);
    });

    it('cancel.xml cancels a call that rings, within its transaction', async () => {
      const { code, output, uas } = await run('cancel.xml', 'udp', { ringing: true, status: 0 });
      expect(code, output).toBe(0);
      const branches = (method: string) =>
        uas
          .heard(method)
          .map((request) => branchOf(request))
          .sort();
      expect(branches('CANCEL')).toEqual(branches('INVITE'));
      expect(branches('ACK')).toEqual(branches('INVITE'));
    });

    it('cancel.xml hangs up a call that was answered at once', async () => {
      const { code, output, uas } = await run('cancel.xml', 'udp');
      expect(code, output).toBe(0);
      expect([...uas.calls.values()].every(({ ended }) => ended)).toBe(true);
    });
  });
});
