import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SipEndpoint } from '../src/endpoint.ts';
import { connectApp, startEndpoint, type App } from './support/endpoint.ts';
import { SDP } from './support/uac.ts';
import { eventually } from './support/wait.ts';

const SIPP = '/usr/bin/sipp';
const CALLS = 200;

let endpoint: SipEndpoint;
let app: App;
let folder: string;
let answered = 0;
let ended = 0;

beforeEach(async () => {
  answered = 0;
  ended = 0;
  folder = await mkdtemp(join(tmpdir(), 'earshot-sipp-'));
  endpoint = await startEndpoint();
  app = await connectApp(endpoint, (srf) => {
    srf.invite((req, res) => {
      srf.createUAS(req, res, { localSdp: SDP }).then(
        (dialog) => {
          answered++;
          dialog.on('destroy', () => ended++);
        },
        () => undefined,
      );
    });
  });
});

afterEach(async () => {
  app.disconnect();
  await endpoint.close();
  await rm(folder, { recursive: true });
});

/** Runs SIPp to its end; resolves with its exit code (0: every call succeeded) and output. */
function sipp(args: string[]): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(SIPP, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output = (output + chunk.toString()).slice(-4000)));
    child.stderr.on('data', (chunk: Buffer) => (output = (output + chunk.toString()).slice(-4000)));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, output }));
  });
}

describe.skipIf(!existsSync(SIPP))('SIPp (skipped where it is not installed)', () => {
  it.each(['u1', 't1'])('makes %s calls at 50 a second, and every one succeeds', async (transport) => {
    const port = transport === 'u1' ? endpoint.udpPort : endpoint.tcpPort;
    const result = await sipp(
      `-sn uac 127.0.0.1:${port} -i 127.0.0.1 -t ${transport} -m ${CALLS} -r 50 -d 200 -nostdin -timeout 40`.split(
        ' ',
      ),
    );
    expect(result.code, result.output).toBe(0);
    await eventually('all dialogs of the application end', () => ended === CALLS);
    expect(answered).toBe(CALLS);
    expect(endpoint.stats()).toMatchObject({ liveDialogs: 0, pendingRequests: 0, parseFailuresByCode: {} });
    expect(endpoint.stats().responsesSentByStatus).toMatchObject({ 100: CALLS, 200: 2 * CALLS });
  });
});
