import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { modelFiles, type ModelStatus } from '@earshot/contracts';
import { createLog } from '@earshot/platform';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { EngineFleet, type Model } from '../src/engine-fleet.ts';
import type { CheckResult } from '../src/model-check.ts';
import { ModelKeeper } from '../src/model-keeper.ts';
import { Supervised } from '../src/supervised.ts';

const LIMIT = { timeout: 30_000, interval: 50 };
const log = createLog('test', 'silent');

let dataDir = '';
let fleet: EngineFleet;
let keeper: ModelKeeper;
let shadows: readonly Supervised[] = [];
let checked: Model[] = [];
let check: (model: Model) => CheckResult;
let choices = 0;
let onShadow: () => void;
const channelsOf = new Map<number, number>();

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'es-keeper-'));
  checked = [];
  shadows = [];
  channelsOf.clear();
  onShadow = () => undefined;
  check = (model) => ({ kind: 'good', name: String(model) });
});
afterEach(async () => {
  fleet.close();
  await keeper.stop();
  await Promise.all(fleet.children.map((child) => child.stop(5000)));
  await rm(dataDir, { recursive: true, force: true });
});

function childOf(label: string, instance: number, model: Model): Supervised {
  const spec = {
    label: `${label}-${instance}`,
    entry: fileURLToPath(new URL('./fixtures/engine-child.ts', import.meta.url)),
    env: () => ({
      ...process.env,
      ASR_MODEL: model ?? '',
      EARSHOT_INSTANCE: String(instance),
      NOTES_FILE: join(dataDir, 'notes'),
    }),
    maxOldSpaceMb: 128,
    instance,
    hungAfterMs: 30_000,
    readyWithinMs: 30_000,
    lent: () => [],
  };
  return new Supervised(spec, log, {
    message: () => undefined,
    ready: () => void keeper.changed(),
    exit: () => undefined,
  });
}

function keep(count: number, fixed: string | null = null, standby = 0): void {
  fleet = new EngineFleet({
    count,
    standby: (model) => (model?.includes('://') === true ? 0 : standby),
    channelsOf: (instance) => channelsOf.get(instance) ?? 0,
    make: (instance, model) => childOf('asr', instance, model),
    changed: () => void keeper.changed(),
    log,
  });
  keeper = new ModelKeeper({
    dataDir,
    fixed,
    fleet,
    check: async (model) => {
      checked.push(model);
      return check(model);
    },
    makeShadow: (model) => childOf('shadow', 0, model),
    shadowChanged: (children) => {
      shadows = children;
      if (children.length > 0) onShadow();
    },
    log,
  });
}

const choose = (choice: { use?: string | null; shadow?: string | null }): Promise<void> =>
  writeFile(
    join(dataDir, modelFiles.choice),
    JSON.stringify({ use: null, shadow: null, changedAt: `choice ${++choices}`, ...choice }),
  );
const status = async (): Promise<ModelStatus> =>
  JSON.parse(await readFile(join(dataDir, modelFiles.status), 'utf8')) as ModelStatus;
const handled = (change: Partial<ModelStatus>): Promise<void> =>
  expect.poll(status, LIMIT).toMatchObject({ choice: `choice ${choices}`, ...change });
const notes = async (): Promise<string[]> =>
  (await readFile(join(dataDir, 'notes'), 'utf8')).split('\n').slice(0, -1);
const models = (): Model[] => fleet.engines.map(({ model }) => model);

test('engines are replaced one by one: the next is ready before the one before it is drained', async () => {
  keep(2);
  await keeper.start();
  keeper.watch();
  expect(await status()).toMatchObject({ state: 'serving', use: null, chosenBy: 'default' });
  await choose({ use: '/models/new' });
  await handled({ state: 'serving', use: '/models/new', chosenBy: 'choice' });
  expect(checked).toEqual(['/models/new']);
  expect((await notes()).slice(2)).toEqual([
    'ready 2 /models/new',
    'drained 0 ',
    'ready 0 /models/new',
    'drained 1 ',
  ]);
  expect(await status()).toMatchObject({
    engines: [
      { engine: 2, model: 'name of /models/new' },
      { engine: 0, model: 'name of /models/new' },
    ],
  });
});

test('a model that the check refuses starts no engine, and the reason is in the status', async () => {
  keep(1);
  await keeper.start();
  keeper.watch();
  const pid = fleet.children[0]!.pid;
  check = () => ({ kind: 'bad', code: 'MODEL_INVALID', message: 'joiner.onnx: logit', action: 'Look.' });
  await choose({ use: '/models/bad' });
  await handled({ state: 'refused', use: null, message: 'joiner.onnx: logit Look.' });
  expect(fleet.children.map((child) => child.pid)).toEqual([pid]);
});

test('when an engine does not start with the chosen model all engines go back to the one before', async () => {
  keep(2);
  await keeper.start();
  keeper.watch();
  await choose({ use: '/models/good' });
  await handled({ state: 'serving' });
  await choose({ use: '/models/broken' });
  await handled({ state: 'refused', use: '/models/good', message: 'model.onnx: no Do.' });
  expect(models()).toEqual(['/models/good', '/models/good']);
  expect(fleet.children.every((child) => child.ready)).toBe(true);
});

test('engines that could not go back either are said to differ, and choosing the one before mends it', async () => {
  const old = '/models/old-starts-2';
  const next = '/models/new-starts-1';
  await choose({ use: old });
  keep(2);
  await keeper.start();
  keeper.watch();
  await choose({ use: next });
  await handled({ state: 'refused', use: old });
  expect(models().toSorted()).toEqual([next, old]);
  const { message } = await status();
  expect(message).toContain('model.onnx: no');
  expect(message).toContain('different models');
  // Both can start again.
  await rm(join(dataDir, 'notes'));
  await choose({ use: old });
  await handled({ state: 'serving', use: old, message: null });
  expect(models()).toEqual([old, old]);
});

test('a choice below DATA_DIR is relative to it, and is taken at the next start', async () => {
  await choose({ use: 'models/mine' });
  keep(1);
  await keeper.start();
  expect(models()).toEqual([join(dataDir, 'models/mine')]);
  expect(await status()).toMatchObject({ state: 'serving', chosenBy: 'choice' });
});

test('ASR_MODEL wins over every choice, and the status says so', async () => {
  await choose({ use: '/models/chosen' });
  keep(1, '/models/fixed');
  await keeper.start();
  keeper.watch();
  await handled({ use: '/models/fixed', chosenBy: 'environment' });
  await choose({ use: '/models/other' });
  await handled({ use: '/models/fixed', chosenBy: 'environment' });
  expect((await status()).message).toContain('ASR_MODEL');
  expect(models()).toEqual(['/models/fixed']);
});

test('a chosen model that is broken at start gives way to the one that served last', async () => {
  await choose({ use: '/models/good' });
  keep(1);
  await keeper.start();
  await keeper.stop();
  await Promise.all(fleet.children.map((child) => child.stop(5000)));
  expect(await status()).toMatchObject({ state: 'stopped', use: '/models/good' });
  await choose({ use: '/models/broken' });
  keep(1);
  expect(await keeper.start()).toEqual({ kind: 'ready' });
  expect(models()).toEqual(['/models/good']);
  expect(await status()).toMatchObject({ state: 'refused', use: '/models/good', message: 'model.onnx: no' });
});

test('a broken ASR_MODEL is not served around: the start fails with its reason', async () => {
  keep(1, '/models/broken');
  expect(await keeper.start()).toMatchObject({
    kind: 'failed',
    code: 'MODEL_INVALID',
    message: 'model.onnx: no',
  });
});

test('an engine that is ended while it starts, since Earshot stops, is no fault of its model', async () => {
  const errors = vi.spyOn(log, 'error');
  keep(1, '/models/slow');
  const started = keeper.start();
  await expect.poll(() => fleet.children[0]?.pid ?? null, LIMIT).not.toBeNull();
  fleet.close();
  await keeper.stop();
  await Promise.all(fleet.children.map((child) => child.stop(5000)));
  expect(await started).toMatchObject({ kind: 'failed' });
  expect(await status()).toMatchObject({ state: 'stopped', message: null });
  expect(errors.mock.calls).toEqual([]);
  errors.mockRestore();
});

test('the shadow comes and goes with the choice, and a broken one harms nothing', async () => {
  keep(1);
  await keeper.start();
  keeper.watch();
  await choose({ shadow: '/models/new' });
  await handled({ state: 'serving' });
  await expect
    .poll(status, LIMIT)
    .toMatchObject({ shadow: { state: 'running', model: 'name of /models/new' } });
  expect(shadows).toHaveLength(1);
  await choose({ shadow: '/models/broken' });
  await expect
    .poll(status, LIMIT)
    .toMatchObject({ shadow: { state: 'refused', message: 'model.onnx: no Do.' } });
  await choose({ shadow: null });
  await handled({ shadow: null });
  expect(shadows).toEqual([]);
  expect(models()).toEqual([null]);
});

test('a shadow that was refused can be asked for again by the same name', async () => {
  const model = '/models/mended-starts-1';
  await choose({ use: model });
  keep(1);
  await keeper.start();
  keeper.watch();
  await choose({ use: model, shadow: model });
  await expect.poll(status, LIMIT).toMatchObject({ shadow: { state: 'refused' } });
  await rm(join(dataDir, 'notes'));
  await choose({ use: model, shadow: model });
  await handled({ shadow: { use: model, state: 'running', model: `name of ${model}`, message: null } });
  expect(shadows).toHaveLength(1);
});

test('a shadow that is about to start when Earshot stops is not started', async () => {
  keep(1);
  await keeper.start();
  const stopping: Promise<void>[] = [];
  onShadow = () => void stopping.push(keeper.stop());
  keeper.watch();
  await choose({ shadow: '/models/new' });
  await expect.poll(() => stopping, LIMIT).toHaveLength(1);
  await stopping[0];
  await handled({ state: 'stopped' });
  expect(shadows.map(({ pid }) => pid)).toEqual([null]);
});

test('a choice that is no choice is said to be damaged, and the model stays', async () => {
  keep(1);
  await keeper.start();
  keeper.watch();
  await writeFile(join(dataDir, modelFiles.choice), '{"use":');
  await expect.poll(status, LIMIT).toMatchObject({ state: 'refused', use: null });
  expect((await status()).message).toContain('damaged');
  await choose({ use: '/models/new' });
  await handled({ state: 'serving', use: '/models/new' });
});

test('an engine that dies later comes back with the model of its own', async () => {
  keep(1);
  await keeper.start();
  keeper.watch();
  await choose({ use: '/models/new' });
  await handled({ state: 'serving' });
  const pid = fleet.children[0]!.pid!;
  process.kill(pid, 'SIGKILL');
  await expect.poll(() => fleet.children[0]!.ready && fleet.children[0]!.pid !== pid, LIMIT).toBe(true);
  expect(fleet.children[0]!.info['model']).toBe('name of /models/new');
});

test('an engine that stands by is started after those that serve, and is there again after its death', async () => {
  keep(1, null, 1);
  expect(await keeper.start()).toEqual({ kind: 'ready' });
  expect((await notes())[0]).toBe('ready 0 ');
  await expect.poll(notes, LIMIT).toEqual(['ready 0 ', 'ready 1 ']);
  const standby = fleet.children[1]!;
  await expect.poll(() => standby.ready, LIMIT).toBe(true);
  process.kill(standby.pid!, 'SIGKILL');
  await expect.poll(notes, LIMIT).toEqual(['ready 0 ', 'ready 1 ', 'ready 1 ']);
});

test('one that cannot be started to stand by is given up, and what serves goes on', async () => {
  const model = '/models/starts-starts-1';
  await choose({ use: model });
  keep(1, null, 1);
  expect(await keeper.start()).toEqual({ kind: 'ready' });
  await expect.poll(() => fleet.children.length, LIMIT).toBe(1);
  expect(fleet.children[0]!.ready).toBe(true);
  expect(models()).toEqual([model]);
});

test('with another model the engine that stands by is replaced first, so that channels go nowhere else than to the new one', async () => {
  keep(1, null, 1);
  await keeper.start();
  keeper.watch();
  await expect.poll(notes, LIMIT).toHaveLength(2);
  // The channels are on the second of them.
  channelsOf.set(1, 12);
  await choose({ use: '/models/new' });
  await handled({ state: 'serving', use: '/models/new' });
  expect((await notes()).slice(2)).toEqual([
    'ready 2 /models/new',
    'drained 0 ',
    'ready 0 /models/new',
    'drained 1 ',
  ]);
});

test('beside a speech server none stands by, and one does again when a model serves', async () => {
  keep(1, null, 1);
  await keeper.start();
  keeper.watch();
  await expect.poll(notes, LIMIT).toHaveLength(2);
  channelsOf.set(0, 12);
  await choose({ use: 'wss://speech.example' });
  await handled({ state: 'serving', use: 'wss://speech.example' });
  expect(models()).toEqual(['wss://speech.example']);
  await choose({ use: '/models/new' });
  await handled({ state: 'serving', use: '/models/new' });
  await expect
    .poll(() => fleet.engines.filter(({ child }) => child.ready).map(({ model }) => model), LIMIT)
    .toEqual(['/models/new', '/models/new']);
});
