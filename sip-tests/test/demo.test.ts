import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { runDemo } from '../src/demo.ts';
import type { GeneratorReport } from '../src/generator.ts';
import { header } from '../src/sip-message.ts';
import { type Behaviour, FakeUas } from './fake-uas.ts';

interface Screen {
  output: string;
  errors: string;
  code: number;
}

async function demo(
  args: string[],
  options: {
    environment?: Record<string, string>;
    isTerminal?: boolean;
    interrupt?: (ctrlC: () => void) => void;
  } = {},
): Promise<Screen> {
  const screen = { output: '', errors: '' };
  const code = await runDemo(args, {
    environment: options.environment ?? {},
    isTerminal: options.isTerminal ?? false,
    print: (text) => {
      screen.output += text;
    },
    printError: (text) => {
      screen.errors += text;
    },
    onInterrupt: (callback) => {
      options.interrupt?.(callback);
      return () => undefined;
    },
  });
  return { ...screen, code };
}

async function demoAgainst(behaviour: Behaviour, ...args: string[]): Promise<Screen> {
  await using uas = await FakeUas.open('udp', behaviour);
  return await demo(['--to', `127.0.0.1:${uas.address.port}`, '--seconds', '0.2', '--ramp', '0', ...args]);
}

function program(name: string, args: string[]) {
  return spawn(process.execPath, [fileURLToPath(new URL(`../${name}`, import.meta.url)), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

describe('the demo caller', () => {
  it.each(['udp', 'tcp'] as const)(
    'makes several calls with different dialogues over %s',
    async (transport) => {
      await using uas = await FakeUas.open(transport);
      const { port } = uas.address;
      const args = [
        '--calls',
        '8',
        '--to',
        `127.0.0.1:${port}`,
        '--transport',
        transport,
        '--seconds',
        '0.5',
        '--ramp',
        '0.2',
      ];
      const { output, errors, code } = await demo(args);
      expect({ errors, code }).toEqual({ errors: '', code: 0 });
      expect(output).toContain(
        '8 calls: 8 went well, 0 failed, 400 packets sent. Set-up (INVITE to 200): p50',
      );
      expect(uas.calls.size).toBe(8);
      const calls = [...uas.calls.values()];
      await uas.until(() =>
        calls.every(({ streams }) => streams.every(({ packets }) => packets.length === 25)),
      );
      expect(calls.every(({ ended, acks }) => ended && acks === 1)).toBe(true);
      expect(new Set(calls.map(({ invite }) => header(invite, 'session-id'))).size).toBe(8);
    },
  );

  it('shows its progress in place on a terminal', async () => {
    await using uas = await FakeUas.open('udp');
    const { output } = await demo(
      ['--calls', '2', '--to', `127.0.0.1:${uas.address.port}`, '--seconds', '1.5'],
      {
        isTerminal: true,
      },
    );
    expect(output).toMatch(/\r2 live · 0 ended · 0 failed · \d+ packets sent · [01] s left/);
    expect(output).toContain('s left\x1b[K');
  });

  it('finds the gateway by SIP_PORT and SIP_BIND, and a wildcard address by loopback', async () => {
    await using uas = await FakeUas.open('udp');
    const environment = { SIP_PORT: String(uas.address.port), SIP_BIND: '0.0.0.0' };
    expect((await demo(['--calls', '1', '--seconds', '0.1'], { environment })).code).toBe(0);
  });

  it('says that Earshot may not be running when nothing listens', async () => {
    const gone = await FakeUas.open('udp');
    await gone[Symbol.asyncDispose]();
    for (const transport of ['udp', 'tcp']) {
      const { errors, code } = await demo([
        '--to',
        `127.0.0.1:${gone.address.port}`,
        '--transport',
        transport,
      ]);
      expect(code).toBe(1);
      expect(errors).toContain('Is Earshot running? npm start');
      expect(errors).toContain('3 calls: Nothing answers at 127.0.0.1');
    }
  });

  it('tells what a 503 means and when to try again', async () => {
    const { errors, output, code } = await demoAgainst(
      { status: 503, reason: 'Service Unavailable', headers: [['Retry-After', '12']] },
      '--calls',
      '4',
    );
    expect(code).toBe(1);
    expect(output).toContain('4 calls: 0 went well, 4 failed');
    expect(errors).toMatch(/4 calls: 503 Service Unavailable\. .*no room.*in 12 s/);
  });

  it('tells what a 488 means', async () => {
    const { errors, code } = await demoAgainst(
      { status: 488, reason: 'Not Acceptable Here' },
      '--calls',
      '1',
    );
    expect(code).toBe(1);
    expect(errors).toMatch(/1 call: 488 Not Acceptable Here\. .*codecs/);
  });

  it('tells when nothing is answered', async () => {
    const { errors, code } = await demoAgainst({ status: 0 }, '--calls', '1', '--timeout', '0.3');
    expect(code).toBe(1);
    expect(errors).toContain("No answer to INVITE in 0.3 s. Is that Earshot's SIP address");
  });

  it('tells when calls are ended before their time', async () => {
    const { errors, code } = await demoAgainst({ byeAfterPackets: 4 }, '--calls', '1', '--seconds', '30');
    expect(code).toBe(1);
    expect(errors).toContain('Ended by the other side after');
  });

  it('ends every call with BYE when it is interrupted, and starts no more', async () => {
    await using uas = await FakeUas.open('udp');
    let ctrlC = () => undefined as void;
    const running = demo(
      ['--calls', '4', '--to', `127.0.0.1:${uas.address.port}`, '--ramp', '7200', '--seconds', '60'],
      {
        interrupt: (callback) => {
          ctrlC = callback;
        },
      },
    );
    await uas.until(() => uas.calls.size === 1 && (uas.onlyCall.streams[0]?.packets.length ?? 0) > 3);
    ctrlC();
    const { output, code } = await running;
    expect(code).toBe(0);
    expect(output).toContain('1 call: 1 went well');
    expect(uas.onlyCall.ended).toBe(true);
  });

  it('explains itself, and a wrong option by its name', async () => {
    expect(await demo(['--help'])).toMatchObject({
      code: 0,
      output: expect.stringContaining('--to HOST:PORT') as string,
    });
    const wrong: [string[], string][] = [
      [['--calls', '0'], '--calls takes a whole number'],
      [['--calls', 'many'], '--calls takes a whole number'],
      [['--codec', 'opus'], '--codec takes pcmu or pcma'],
      [['--to', 'a b'], '--to takes HOST:PORT'],
      [['--to', 'host:99999'], 'port of --to'],
      [['--loss', '2'], '--loss takes a number from 0 to 1'],
      [['--volume', '11'], '--volume'],
    ];
    for (const [args, message] of wrong) {
      const { errors, code } = await demo(args);
      expect(code).toBe(2);
      expect(errors).toContain(message);
    }
  });
});

describe('as processes', () => {
  it('the demo caller hangs up on SIGINT', async () => {
    await using uas = await FakeUas.open('udp');
    const child = program('demo.ts', [
      '--calls',
      '2',
      '--to',
      `127.0.0.1:${uas.address.port}`,
      '--ramp',
      '0',
    ]);
    const exited = once(child, 'exit');
    await uas.until(() => uas.calls.size === 2 && [...uas.calls.values()].every(({ acks }) => acks === 1));
    child.kill('SIGINT');
    expect(await exited).toEqual([0, null]);
    expect([...uas.calls.values()].map(({ ended }) => ended)).toEqual([true, true]);
  });

  it('the load generator prints one JSON object that agrees with what arrived', async () => {
    await using uas = await FakeUas.open('udp');
    const to = `127.0.0.1:${uas.address.port}`;
    const child = program('generator.ts', [
      '--calls',
      '3',
      '--to',
      to,
      '--seconds',
      '0.6',
      '--codec',
      'pcma',
    ]);
    let output = '';
    child.stdout.on('data', (bytes) => {
      output += String(bytes);
    });
    const beganAtMs = Date.now();
    expect(await once(child, 'close')).toEqual([0, null]);
    const report = JSON.parse(output) as GeneratorReport;
    expect(report).toMatchObject({
      setup: { calls: 3, seconds: 0.6, to, transport: 'udp', codec: 'pcma', kind: 'siprec' },
      calls: { offered: 3, answered: 3, failed: 0 },
      packetsSent: 3 * 2 * 30,
    });
    expect(report.perCall.map(({ callId }) => callId).sort()).toEqual([...uas.calls.keys()].sort());
    for (const { callId, streams, failure } of report.perCall) {
      expect(failure).toBeNull();
      const call = uas.calls.get(callId);
      for (const [i, stream] of streams.entries()) {
        const heard = call?.streams[i];
        await uas.until(() => heard?.packets.length === stream.packetsSent);
        expect(heard).toMatchObject({ label: stream.label, port: stream.remotePort });
        expect(heard?.packets[0]?.ssrc).toBe(stream.ssrc);
        expect(stream.firstPacketAtMs).toBeGreaterThan(beganAtMs);
        expect(stream.firstPacketAtMs).toBeLessThan(Date.now());
      }
    }
  });

  it('the load generator reports refused calls and exits with 1', async () => {
    await using uas = await FakeUas.open('tcp', { status: 486, reason: 'Busy Here' });
    const to = `127.0.0.1:${uas.address.port}`;
    const child = program('generator.ts', ['--calls', '2', '--to', to, '--transport', 'tcp']);
    let output = '';
    child.stdout.on('data', (bytes) => {
      output += String(bytes);
    });
    expect(await once(child, 'close')).toEqual([1, null]);
    const report = JSON.parse(output) as GeneratorReport;
    expect(report).toMatchObject({
      calls: { offered: 2, answered: 0, failed: 2 },
      setupMs: null,
      packetsSent: 0,
    });
    expect(report.perCall[0]?.failure).toMatchObject({ code: 'rejected', status: 486 });
  });
});
