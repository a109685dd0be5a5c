/** The command's parts together, against a web server of the test's own and the shipped model. */
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { type ModelStatus, parseModelChoice } from '@earshot/contracts';
import { writeWhole } from '@earshot/platform';
import { pack } from 'tar-stream';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { addModel } from '../../src/catalogue/add.ts';
import { catalogue } from '../../src/catalogue/catalogue.ts';
import { ChoiceFile } from '../../src/catalogue/choice.ts';
import { type CommandOptions, commands, type Room } from '../../src/catalogue/commands.ts';
import { ModelStore, SHIPPED_FOLDER } from '../../src/catalogue/store.ts';
import { Terminal } from '../../src/catalogue/terminal.ts';
import { nemoCtcFolder } from '../support/generated/nemo.ts';
import { zipformerTransducerFolder } from '../support/generated/zipformer.ts';
import { temporaryFolder, Web } from './web.ts';

const OPTIONS: CommandOptions = { as: null, quick: true, acceptChange: false, wait: true };

let archive: Buffer;
let web: Web;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let room: Room;
let printed = '';

beforeAll(async () => {
  archive = gzipSync(await tarOfModel('from-the-web'));
});
beforeEach(async () => {
  web = await Web.open();
  folder = await temporaryFolder();
  room = roomOf(true);
});
afterEach(async () => {
  await web.close();
  await folder.remove();
});

function roomOf(json: boolean): Room {
  const dataDir = join(folder.path, 'data');
  printed = '';
  const out = new Writable({
    write(chunk: Buffer, _encoding, done) {
      printed += chunk.toString();
      done();
    },
  });
  return {
    dataDir,
    store: new ModelStore(dataDir),
    choice: new ChoiceFile(dataDir),
    terminal: new Terminal(json, out as unknown as NodeJS.WriteStream),
    asrModel: null,
  };
}

/** The shipped model in an archive, under another name. */
async function tarOfModel(name: string): Promise<Buffer> {
  const tar = pack();
  for (const file of ['model.onnx', 'tokens.txt', 'lm.bin']) {
    tar.entry({ name: `${name}/${file}` }, await readFile(join(SHIPPED_FOLDER, file)));
  }
  const settings = JSON.parse(await readFile(join(SHIPPED_FOLDER, 'model.json'), 'utf8')) as object;
  tar.entry({ name: `${name}/model.json` }, JSON.stringify({ ...settings, name }));
  tar.finalize();
  return buffer(tar);
}

async function run(
  name: string,
  args: readonly string[],
  change: Partial<CommandOptions> = {},
): Promise<Record<string, unknown>> {
  printed = '';
  await commands[name]!(room, args, { ...OPTIONS, ...change });
  return printed === '' ? {} : (JSON.parse(printed) as Record<string, unknown>);
}

const choice = async (): Promise<unknown> =>
  parseModelChoice(await readFile(join(room.dataDir, 'model-choice.json'), 'utf8'));

test('a model is added from the web: downloaded, pinned, unpacked, checked, listed, chosen, removed', async () => {
  web.serve(archive, '"v1"');
  const added = await run('add', [web.url('some-model.tar.gz')]);
  expect(added).toMatchObject({
    ok: true,
    name: 'some-model',
    model: { name: 'from-the-web', format: 't-one' },
  });
  const pins = JSON.parse(await readFile(join(room.dataDir, 'models', 'pins.json'), 'utf8')) as object;
  expect(Object.keys(pins)).toEqual([web.url('some-model.tar.gz')]);
  expect(await readdir(join(room.dataDir, 'models', '.partial'))).toEqual([]);
  const { models } = (await run('list', [])) as { models: { name: string; state: string[] }[] };
  expect(models.find(({ name }) => name === 'some-model')?.state).toEqual(['added']);
  expect(await run('use', ['some-model'])).toMatchObject({ ok: true, state: 'chosen' });
  expect(await choice()).toMatchObject({ use: 'models/some-model', shadow: null });
  await expect(run('remove', ['some-model'])).rejects.toMatchObject({ code: 'MODEL_IN_USE' });
  await run('use', ['shipped']);
  expect(await choice()).toMatchObject({ use: null });
  await run('remove', ['some-model']);
  expect((await readdir(join(room.dataDir, 'models'))).sort()).toEqual(['.partial', 'pins.json']);
});

test('a file that changed at its address is refused, with what to do, and accepted when told to', async () => {
  web.serve(archive, '"v1"');
  await run('add', [web.url('m.tar.gz')]);
  await run('remove', ['m']);
  web.serve(gzipSync(await tarOfModel('changed')), '"v2"');
  await expect(run('add', [web.url('m.tar.gz')])).rejects.toMatchObject({
    code: 'MODEL_CHANGED',
    action: expect.stringContaining('--accept-change') as string,
  });
  expect(await room.store.list()).toEqual([]);
  expect(await run('add', [web.url('m.tar.gz')], { acceptChange: true })).toMatchObject({
    model: { name: 'changed' },
  });
});

test('an archive that is no model is not kept, and the reason names the file', async () => {
  const tar = pack();
  tar.entry({ name: 'm/readme.txt' }, 'hello');
  tar.finalize();
  web.serve(await buffer(tar), '"v1"');
  await expect(run('add', [web.url('m.tar')])).rejects.toMatchObject({
    code: expect.stringMatching(/^MODEL_(MISSING|INVALID)$/) as string,
  });
  expect(await room.store.list()).toEqual([]);
});

test('a broken network is refused before it is chosen, and what was chosen stays', async () => {
  const broken = join(folder.path, 'broken');
  await cp(SHIPPED_FOLDER, broken, { recursive: true });
  await writeFile(join(broken, 'model.onnx'), 'not a network');
  await expect(run('use', [broken])).rejects.toMatchObject({
    code: 'MODEL_INVALID',
    message: expect.stringContaining('model.onnx') as string,
  });
  expect(await room.choice.read()).toMatchObject({ use: null });
});

test('a model of a folder is added under a name of its own, once', async () => {
  expect(await run('add', [SHIPPED_FOLDER], { as: 'mine' })).toMatchObject({ ok: true, name: 'mine' });
  await expect(run('add', [SHIPPED_FOLDER], { as: 'mine' })).rejects.toMatchObject({ code: 'MODEL_IN_USE' });
  await expect(run('add', [SHIPPED_FOLDER], { as: '../mine' })).rejects.toMatchObject({
    code: 'MODEL_UNKNOWN',
  });
});

test.each([
  ['zipformer2-transducer', (path: string) => zipformerTransducerFolder(path, 1)],
  ['nemo-ctc', (path: string) => nemoCtcFolder(path, 1)],
])('a folder as a %s is published is added as it is', async (format, write) => {
  const published = join(folder.path, `published-${format}`);
  await mkdir(published);
  write(published);
  const added = await run('add', [published]);
  expect(added).toMatchObject({ ok: true, name: `published-${format}`, model: { format } });
});

test('names that mean nothing, and published ones that are not added yet, say so', async () => {
  await expect(run('use', ['no-such-model'])).rejects.toMatchObject({ code: 'MODEL_UNKNOWN' });
  await expect(run('use', ['t-one-ru'])).rejects.toMatchObject({
    code: 'MODEL_UNKNOWN',
    message: expect.stringContaining('model -- add t-one-ru') as string,
  });
  await expect(run('add', ['no-such-file.tar.bz2'])).rejects.toMatchObject({ code: 'MODEL_UNKNOWN' });
  await expect(run('remove', ['no-such-model'])).rejects.toMatchObject({ code: 'MODEL_UNKNOWN' });
  await expect(run('use', [])).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
});

test('a speech server is chosen by its address, and cannot be a shadow', async () => {
  const address = 'vosk+ws://127.0.0.1:2700';
  expect(await run('use', [address])).toMatchObject({ ok: true, use: address });
  expect(await choice()).toMatchObject({ use: address });
  await expect(run('shadow', [address])).rejects.toMatchObject({ code: 'MODEL_UNKNOWN' });
  await expect(run('use', ['vosk+ws://user:secret@127.0.0.1'])).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
  });
});

/** As a host of this DATA_DIR would. */
async function hostSays(change: Partial<ModelStatus>): Promise<void> {
  await mkdir(room.dataDir, { recursive: true });
  await writeFile(join(room.dataDir, 'host.pid'), String(process.pid));
  const nothing: ModelStatus = {
    state: 'serving',
    use: null,
    chosenBy: 'default',
    choice: null,
    engines: [],
    shadow: null,
    message: null,
    at: '',
  };
  await writeWhole(join(room.dataDir, 'model-status.json'), JSON.stringify({ ...nothing, ...change }));
}

/** When the choice that is there now was made, once it is another than the one before. */
async function chosenAfter(before: string): Promise<string> {
  const changedAt = async (): Promise<string> => (await room.choice.read()).changedAt;
  await expect.poll(changedAt, { timeout: 20_000 }).not.toBe(before);
  return changedAt();
}

test('"use" follows what the running Earshot makes of it, to the end', async () => {
  await run('add', [SHIPPED_FOLDER], { as: 'mine' });
  await hostSays({});
  const using = run('use', ['mine']);
  await hostSays({ choice: await chosenAfter(''), state: 'refused', message: 'joiner.onnx: wrong shape' });
  await expect(using).rejects.toMatchObject({ code: 'MODEL_INVALID', message: 'joiner.onnx: wrong shape' });
  expect(printed).toBe('');
});

test('"use" ends when another model is chosen before Earshot came to it', async () => {
  await run('add', [SHIPPED_FOLDER], { as: 'mine' });
  await hostSays({ state: 'swapping', choice: 'one before' });
  const using = run('use', ['mine']).catch((error: unknown) => error);
  const first = await chosenAfter('');
  await room.choice.change({ use: null }, new Date(Date.parse(first) + 1000));
  expect(await using).toMatchObject({
    code: 'MODEL_IN_USE',
    message: expect.stringContaining('another choice') as string,
  });
});

test('"use" goes on with a later choice that only has a shadow besides', async () => {
  await run('add', [SHIPPED_FOLDER], { as: 'mine' });
  await hostSays({ state: 'swapping', choice: 'one before' });
  const using = run('use', ['mine']);
  const first = await chosenAfter('');
  const later = await room.choice.change({ shadow: '/models/other' }, new Date(Date.parse(first) + 1000));
  await hostSays({ choice: later.changedAt, use: 'models/mine' });
  expect(await using).toMatchObject({ ok: true, state: 'serving' });
});

test('a model cannot have a name that files of the store have', async () => {
  web.serve(archive, '"v1"');
  await run('add', [web.url('m.tar.gz')]);
  const pins = await readFile(room.store.pinsPath, 'utf8');
  for (const name of ['pins', 'PINS', 'shipped', 'Shipped', 'm.json', 'm.1234.new']) {
    await expect(run('add', [SHIPPED_FOLDER], { as: name })).rejects.toMatchObject({ code: 'MODEL_UNKNOWN' });
  }
  expect(await readFile(room.store.pinsPath, 'utf8')).toBe(pins);
});

test('measuring prints channels per core by batch size, and the list keeps the best', async () => {
  room = roomOf(false);
  const { record } = await addModel(
    room.store,
    { what: SHIPPED_FOLDER, as: 'mine', acceptChange: false, measure: true },
    room.terminal,
  );
  expect(Object.keys(record.measured!.byBatchSize)).toEqual(['1', '4', '8', '16', '32', '64']);
  expect(record.measured!.channelsPerCore).toBe(Math.max(...Object.values(record.measured!.byBatchSize)));
  printed = '';
  await commands['list']!(room, [], OPTIONS);
  expect(printed).toMatch(new RegExp(`^mine .*${record.measured!.channelsPerCore}$`, 'm'));
  expect(printed).toContain('https://');
}, 60_000);

test('every published model of the catalogue has a page, an address, languages and a rate', () => {
  expect(new Set(catalogue().map(({ name }) => name)).size).toBe(catalogue().length);
  for (const entry of catalogue()) {
    expect(entry.name).toMatch(/^[a-z0-9-]+$/);
    expect(entry.url).toMatch(/^https:\/\/\S+\.tar\.bz2$/);
    expect(entry.page).toMatch(/^https:\/\//);
    expect(entry.languages.length).toBeGreaterThan(0);
    expect([8000, 16000]).toContain(entry.sampleRate);
    expect(entry.sha256 ?? '0'.repeat(64)).toMatch(/^[0-9a-f]{64}$/);
  }
});
