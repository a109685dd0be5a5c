import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));

let dataDir = '';
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'es-refusal-'));
});
afterEach(() => rm(dataDir, { recursive: true, force: true }));

/** Runs `npm start`'s program, which must end by itself. @returns what it said on stderr */
async function refusal(env: Readonly<Record<string, string>>): Promise<string> {
  const args = ['--disable-warning=ExperimentalWarning', '--disable-warning=DEP0112', MAIN];
  const child = spawn(process.execPath, args, {
    env: { ...process.env, DATA_DIR: dataDir, SIP_PORT: '0', HTTP_PORT: '0', ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: 30_000,
    killSignal: 'SIGKILL',
  });
  const said = text(child.stderr);
  expect(await once(child, 'exit')).toEqual([1, null]);
  return said;
}

test.each([
  ['RTP_BIND', /CONFIG_INVALID.*\n.*RTP cannot listen on 192\.0\.2\.77:\d+: .*\(RTP_BIND/],
  ['SIP_BIND', /CONFIG_INVALID.*\n.*SIP cannot listen on 192\.0\.2\.77:0: .*\(SIP_BIND/],
])(
  'an address that this machine lacks is refused before anything is ready, by %s',
  async (name, says) => {
    expect(await refusal({ [name]: '192.0.2.77', SIP_ALLOW: '192.0.2.0/24' })).toMatch(says);
  },
  60_000,
);

test('an address to show that is none is refused', async () => {
  expect(await refusal({ PUBLIC_IP: '999.1.1.1' })).toMatch(/CONFIG_INVALID.*\n.*PUBLIC_IP: "999\.1\.1\.1"/);
}, 60_000);
