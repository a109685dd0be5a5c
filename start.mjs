#!/usr/bin/env node
// What people type (npm start, npm test, npm run demo | bench | signin) comes here first. This file runs on whatever
// Node the machine has, installs what is missing, and hands over to the Node 24 that the project brings along.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('.', import.meta.url));
const modules = join(root, 'node_modules');
const commands = {
  start: 'host/main.ts',
  demo: 'sip-tests/demo.ts',
  bench: 'bench/main.ts',
  signin: 'host/signin.ts',
  docs: 'host/docs.ts',
  model: 'asr/model.ts',
  train: 'asr/train.ts',
  test: null,
  install: null,
};

if (Number(process.versions.node.split('.')[0]) < 20) {
  fail(`Node ${process.versions.node} is too old to start with: install Node 20 or later.`);
}
const [command = 'start', ...args] = process.argv.slice(2);
if (!(command in commands))
  fail(`Unknown command "${command}". There are: ${Object.keys(commands).join(', ')}.`);

installPackages();
const node = node24();
const env = {
  ...process.env,
  PATH: [join(modules, '.bin'), process.env.PATH].join(delimiter),
  NODE_COMPILE_CACHE: join(modules, '.cache', 'compile'),
};
if (command === 'start' || command === 'test') buildDashboard();
if (command === 'test') test();
else if (command === 'install')
  run(node, ['--disable-warning=ExperimentalWarning', join(root, 'media/native.ts')]);
else
  run(node, [
    '--disable-warning=ExperimentalWarning',
    '--disable-warning=DEP0112',
    join(root, commands[command]),
    ...args,
  ]);

/** npm ci, if package-lock.json is not the one that was installed. */
function installPackages() {
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  const mark = join(modules, '.earshot-installed');
  if (existsSync(mark) && readFileSync(mark, 'utf8') === lock) return;
  console.log('Installing packages (npm ci); the first time this takes a minute or two.');
  // Under npm, npm_execpath is npm's own script: the same npm again, whatever is on the PATH.
  const npm = process.env.npm_execpath;
  const ci = ['ci', '--loglevel=error', '--no-audit', '--no-fund'];
  const result = npm?.endsWith('.js')
    ? spawnSync(process.execPath, [npm, ...ci], { cwd: root, stdio: 'inherit' })
    : spawnSync('npm', ci, { cwd: root, stdio: 'inherit', shell: process.platform === 'win32' });
  if (result.status !== 0) {
    fail(
      'npm ci failed. It needs npm 10 or later, and python3, make and a C++ compiler for @discordjs/opus.',
    );
  }
  writeFileSync(mark, lock);
}

function node24() {
  const bundled = join(modules, 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
  if (existsSync(bundled)) return bundled;
  if (process.versions.node.startsWith('24.')) return process.execPath;
  return fail(
    'Node 24 is missing: npm blocked the install script of the package "node". Run: npm rebuild node',
  );
}

/** The page is built again when one of its files is newer than the build. */
function buildDashboard() {
  const folder = join(root, 'dashboard');
  const built = join(folder, 'dist', 'index.html');
  const newest = Math.max(...filesBelow(folder).map((file) => statSync(file).mtimeMs));
  if (existsSync(built) && statSync(built).mtimeMs >= newest) return;
  console.log('Building the dashboard');
  try {
    execFileSync(node, [join(modules, 'vite', 'bin', 'vite.js'), 'build', '--logLevel', 'warn'], {
      cwd: folder,
      env,
      stdio: 'inherit',
    });
  } catch {
    fail('The dashboard could not be built; see above.');
  }
}

function filesBelow(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (!entry.isDirectory()) return [path];
    return ['dist', 'node_modules', 'test'].includes(entry.name) ? [] : filesBelow(path);
  });
}

/** All tests. As root on Debian it installs the programs that some suites need; else those suites say they are skipped. */
function test() {
  const needed = {
    sipp: 'sip-tester',
    baresip: 'baresip-core',
    'redis-server': 'redis-server',
    chromium: 'chromium',
    flite: 'flite',
    ffmpeg: 'ffmpeg',
    opusinfo: 'opus-tools',
    rtpengine: 'rtpengine-daemon',
    kamailio: 'kamailio',
  };
  const missing = Object.entries(needed).filter(([program]) => !onPath(program));
  if (missing.length > 0 && process.getuid?.() === 0 && onPath('apt-get')) {
    const packages = missing.map(([, name]) => name);
    console.log(`Installing from Debian: ${packages.join(', ')}`);
    const apt = {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    };
    spawnSync('apt-get', ['update', '-qq'], apt);
    spawnSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages], apt);
  }
  for (const [program, name] of Object.entries(needed)) {
    if (!onPath(program))
      console.log(`${program} (Debian package ${name}) is missing: the suites that need it are skipped.`);
  }
  mkdirSync(join(modules, '.cache'), { recursive: true });
  run(node, [join(modules, 'vitest', 'vitest.mjs'), 'run', ...args]);
}

function onPath(program) {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => existsSync(join(folder, program)));
}

/** Runs the program in the foreground: its exit status is ours, and a signal to us is one to it. */
function run(file, argv) {
  const child = spawn(file, argv, { cwd: root, env, stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2'])
    process.on(signal, () => child.kill(signal));
  child.on('error', (error) => fail(error.message));
  child.on('exit', (code, signal) => process.exit(signal === null ? code : 128 + constants.signals[signal]));
}

function fail(text) {
  console.error(text);
  process.exit(1);
}
