import { setTimeout as pause } from 'node:timers/promises';
import { EarshotError, type ModelChoice, type ModelStatus } from '@earshot/contracts';
import { shadowSummary } from '../shadow/report.ts';
import { parseRemoteAddress } from '../network/address.ts';
import { addModel } from './add.ts';
import { entryOf } from './catalogue.ts';
import { checkModel, type Measured } from './check.ts';
import type { ChoiceFile } from './choice.ts';
import { type ModelStore, SHIPPED } from './store.ts';
import type { Terminal } from './terminal.ts';
import { LIST_HEAD, listModels, listRow, measuredTable, pageLines, statusLines } from './views.ts';

export interface CommandOptions {
  readonly as: string | null;
  readonly quick: boolean;
  readonly acceptChange: boolean;
  readonly wait: boolean;
}

/** What the commands work with. */
export interface Room {
  readonly dataDir: string;
  readonly store: ModelStore;
  readonly choice: ChoiceFile;
  readonly terminal: Terminal;
  /** ASR_MODEL in this environment. */
  readonly asrModel: string | null;
}

type Command = (room: Room, args: readonly string[], options: CommandOptions) => Promise<void>;

const LOOK_EVERY_MS = 200;
/** A model of a gigabyte on a busy machine, checked and then loaded by each engine in turn. */
const SWAP_LIMIT_MS = 10 * 60_000;

const argument = (args: readonly string[], what: string): string => {
  const first = args[0];
  if (first === undefined || args.length > 1)
    throw new EarshotError('REQUEST_INVALID', `give ${what}, once; npm run model -- help shows how`);
  return first;
};

const list: Command = async ({ store, choice, terminal }) => {
  const running = await choice.running();
  const models = listModels({
    installed: await store.list(),
    choice: await choice.read(),
    status: running ? await choice.status() : null,
    store,
    shipped: await store.shippedMeasured(),
  });
  terminal.table(LIST_HEAD, models.map(listRow));
  terminal.say('');
  for (const line of pageLines(models)) terminal.say(line);
  terminal.say('Licences are as the publishers state them; read the page before you use a model.');
  terminal.result({ ok: true, models });
};

const add: Command = async ({ store, terminal }, args, { as, quick, acceptChange }) => {
  const what = argument(args, 'a name of the list, a URL, an archive or a folder');
  const added = await addModel(store, { what, as, acceptChange, measure: !quick }, terminal);
  const { report, name } = added;
  terminal.say(`${name}: ${report.name}, ${report.format}, chunks of ${report.chunkMs} ms`);
  if (report.measured !== null) {
    const { head, rows } = measuredTable(report.measured);
    terminal.table(head, rows);
    terminal.say(`Best: ${report.measured.channelsPerCore} channels of unbroken speech a core.`);
  }
  terminal.say(
    `Added. Try it on live calls: npm run model -- shadow ${name}; use it: npm run model -- use ${name}`,
  );
  terminal.result({ ok: true, name, folder: added.folder, record: added.record, model: report });
};

const check: Command = async ({ store, terminal }, args, { quick }) => {
  const text = argument(args, 'a model: a name or a folder');
  const use = await store.resolve(text);
  const folder = store.folderOfChoice(use);
  if (folder === null) {
    const { name } = parseRemoteAddress(text);
    terminal.say(`${name} is a speech server: it is reached when calls come.`);
    terminal.result({ ok: true, model: { name } });
    return;
  }
  const report = await checkModel(folder, !quick, (size) => terminal.progress(`batches of ${size}`));
  const kibibytes = Math.round(report.stateBytesPerChannel / 1024);
  terminal.say(
    `${report.name} can be used: ${report.format}, ${report.vocabulary} tokens, chunks of ${report.chunkMs} ms, ` +
      `${kibibytes} KiB of state a channel.`,
  );
  if (report.measured !== null) {
    const { head, rows } = measuredTable(report.measured);
    terminal.table(head, rows);
    await keepMeasured(store, text, report.measured);
  }
  terminal.result({ ok: true, model: report });
};

const use: Command = async (room, args, { wait }) => {
  const text = argument(args, 'a model: a name, a folder, the URL of an engine, or "shipped"');
  const chosen = await resolved(room, text);
  const { choice, terminal } = room;
  const before = await choice.status();
  const byEnvironment =
    room.asrModel !== null || ((await choice.running()) && before?.chosenBy === 'environment');
  const { changedAt } = await choice.change({ use: chosen }, new Date());
  if (byEnvironment) {
    terminal.say('ASR_MODEL is set, and wins over this choice. Unset it and start Earshot again.');
    terminal.result({ ok: true, use: chosen, state: 'environment' });
    return;
  }
  const status = wait
    ? await followed(
        room,
        changedAt,
        (now) => now.use === chosen,
        (said) => said.state === 'serving',
      )
    : null;
  if (status?.state === 'refused')
    throw new EarshotError('MODEL_INVALID', status.message ?? 'it was refused');
  if (status === null) {
    terminal.say(`Chosen: ${text}. ${wait ? 'Earshot is not running; its next start takes it.' : ''}`.trim());
  } else {
    terminal.say(`Every engine runs ${status.engines[0]?.model ?? text} now. No call was ended.`);
  }
  terminal.result({ ok: true, use: chosen, state: status?.state ?? 'chosen', status });
};

const shadow: Command = async (room, args, { wait }) => {
  const text = argument(args, 'a model: a name, a folder, or "off"');
  const chosen = text === 'off' ? null : await resolved(room, text);
  const { choice, store, terminal } = room;
  if (chosen !== null && store.folderOfChoice(chosen) === null)
    throw new EarshotError(
      'MODEL_UNKNOWN',
      'a shadow runs on this machine: give a model, not the URL of an engine',
    );
  const folder = chosen === null && text !== 'off' ? store.folderOfChoice(null) : chosen;
  const { changedAt } = await choice.change({ shadow: folder }, new Date());
  const settled = (status: ModelStatus): boolean =>
    folder === null ? status.shadow === null : status.shadow !== null && status.shadow.state !== 'starting';
  const status = wait ? await followed(room, changedAt, (now) => now.shadow === folder, settled) : null;
  if (status?.shadow?.state === 'refused')
    throw new EarshotError('MODEL_INVALID', status.shadow.message ?? 'the shadow was refused');
  terminal.say(
    text === 'off'
      ? 'The shadow is off.'
      : `${text} listens to calls from now on, up to a few at a time. What it hears is compared when a call has ended: npm run model -- status`,
  );
  terminal.result({ ok: true, shadow: folder, status });
};

const status: Command = async ({ choice, terminal, dataDir }) => {
  const running = await choice.running();
  const said = running ? await choice.status() : null;
  const chosen = await choice.read();
  for (const line of statusLines(said, chosen, running)) terminal.say(line);
  const summaries = await shadowSummary(dataDir);
  for (const each of summaries) {
    terminal.say(
      `Shadow ${each.model} against ${each.serving}: ${each.calls} calls, ${each.words} words, ` +
        `${(100 * each.differenceRate).toFixed(1)} % different, lag up to ${each.maxLagSeconds.toFixed(1)} s, ` +
        `${Math.round(each.speed)} × real time, ${each.skipped} calls skipped`,
    );
  }
  terminal.result({ ok: true, running, choice: chosen, status: said, shadows: summaries });
};

const remove: Command = async ({ store, choice, terminal }, args) => {
  const name = argument(args, 'the name of an added model');
  const folder = store.folderOf(name);
  const chosen = await choice.read();
  const inUse = [chosen.use, chosen.shadow].some(
    (use) => use !== null && store.folderOfChoice(use) === folder,
  );
  const running = (await choice.running()) ? await choice.status() : null;
  const serves = running !== null && running.use !== null && store.folderOfChoice(running.use) === folder;
  if (inUse || serves)
    throw new EarshotError('MODEL_IN_USE', `${name} serves, is chosen to, or is the shadow`);
  await store.remove(name);
  terminal.say(`${name} is removed.`);
  terminal.result({ ok: true, name });
};

export const commands: Readonly<Record<string, Command>> = { list, add, use, shadow, status, check, remove };

/** A model by what a person calls it, checked to be one. */
async function resolved(room: Room, text: string): Promise<string | null> {
  const { store, terminal } = room;
  let chosen: string | null;
  try {
    chosen = await store.resolve(text);
  } catch (error) {
    if (entryOf(text) === null) throw error;
    throw new EarshotError('MODEL_UNKNOWN', `${text} is not added yet: npm run model -- add ${text}`);
  }
  const folder = store.folderOfChoice(chosen);
  if (folder === null) parseRemoteAddress(text);
  else {
    terminal.say(`Checking ${text}`);
    await checkModel(folder, false);
  }
  return chosen;
}

/**
 * Waits for what host makes of a choice, and shows it. Host takes the newest choice only: when there is another meanwhile that
 * still has ours in it, that one is waited for.
 * @returns its last word, or null when no Earshot runs here
 * @throws EarshotError MODEL_IN_USE when somebody chose otherwise before host acted on ours; NOT_READY
 */
async function followed(
  { choice, terminal }: Room,
  changedAt: string,
  isOurs: (choice: ModelChoice) => boolean,
  done: (status: ModelStatus) => boolean,
): Promise<ModelStatus | null> {
  const deadline = performance.now() + SWAP_LIMIT_MS;
  let shown = '';
  let awaited = changedAt;
  while (await choice.running()) {
    const status = await choice.status();
    const ofOurs = status !== null && status.choice === awaited;
    if (ofOurs) {
      if (status.state !== shown && status.state !== 'serving') terminal.say(`Earshot: ${status.state}`);
      shown = status.state;
      if (status.state === 'refused' || done(status)) return status;
    } else {
      const now = await choice.read();
      if (!isOurs(now)) {
        throw new EarshotError(
          'MODEL_IN_USE',
          'another choice was made meanwhile and took the place of this one: npm run model -- status shows what serves',
        );
      }
      awaited = now.changedAt;
    }
    if (performance.now() > deadline) {
      throw new EarshotError(
        'NOT_READY',
        'Earshot did not answer in time: npm run model -- status shows where it is',
      );
    }
    await pause(LOOK_EVERY_MS);
  }
  return null;
}

/** What was measured stays with the model, so that `list` shows it. */
async function keepMeasured(store: ModelStore, text: string, measured: Measured): Promise<void> {
  if (text === SHIPPED) return store.recordShipped(measured);
  const record = (await store.list()).find(({ name }) => name === text)?.record;
  if (record !== null && record !== undefined) await store.record(text, { ...record, measured });
}
