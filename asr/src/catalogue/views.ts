import { basename } from 'node:path';
import type { ModelChoice, ModelStatus } from '@earshot/contracts';
import { catalogue, type CatalogueEntry } from './catalogue.ts';
import type { Measured } from './check.ts';
import { type InstalledModel, type ModelStore, SHIPPED, SHIPPED_FOLDER } from './store.ts';

/** A line of `list`. */
export interface ListedModel {
  readonly name: string;
  readonly state: readonly ('serving' | 'chosen' | 'shadow' | 'added' | 'published')[];
  readonly languages: readonly string[];
  readonly sampleRate: number | null;
  readonly family: string | null;
  readonly licence: string | null;
  readonly megabytes: number | null;
  readonly channelsPerCore: number | null;
  readonly page: string | null;
  readonly folder: string | null;
  readonly note: string | null;
}

interface Known {
  readonly installed: readonly InstalledModel[];
  readonly choice: ModelChoice;
  readonly status: ModelStatus | null;
  readonly store: ModelStore;
  readonly shipped: Measured | null;
}

/** The shipped model, the added ones, then what the catalogue has besides. */
export function listModels({ installed, choice, status, store, shipped }: Known): ListedModel[] {
  const serving =
    status === null || status.state === 'stopped' ? undefined : store.folderOfChoice(status.use);
  const chosen = store.folderOfChoice(choice.use);
  const shadow = choice.shadow === null ? undefined : store.folderOfChoice(choice.shadow);
  const states = (folder: string): ListedModel['state'] => [
    ...(folder === serving ? (['serving'] as const) : folder === chosen ? (['chosen'] as const) : []),
    ...(folder === shadow ? (['shadow'] as const) : []),
    'added',
  ];
  const added = installed.map(({ name, folder, record }) => ({
    ...ofEntry(entryNamed(record?.catalogue ?? null)),
    name,
    state: states(folder),
    licence: record?.licence ?? null,
    channelsPerCore: record?.measured?.channelsPerCore ?? null,
    folder,
  }));
  const names = new Set(installed.flatMap(({ name, record }) => [name, record?.catalogue ?? name]));
  return [
    {
      ...ofEntry(null),
      name: SHIPPED,
      state: states(SHIPPED_FOLDER),
      languages: ['en'],
      sampleRate: 8000,
      family: 't-one',
      licence: 'MIT',
      channelsPerCore: shipped?.channelsPerCore ?? null,
      folder: SHIPPED_FOLDER,
    },
    ...added,
    ...catalogue()
      .filter(({ name }) => !names.has(name))
      .map((entry) => ({ ...ofEntry(entry), name: entry.name, state: ['published'] as const })),
  ];
}

const entryNamed = (name: string | null): CatalogueEntry | null =>
  catalogue().find((entry) => entry.name === name) ?? null;

function ofEntry(entry: CatalogueEntry | null): Omit<ListedModel, 'name' | 'state'> {
  return {
    languages: entry?.languages ?? [],
    sampleRate: entry?.sampleRate ?? null,
    family: entry?.family ?? null,
    licence: entry?.licence ?? null,
    megabytes: entry?.megabytes ?? null,
    channelsPerCore: null,
    page: entry?.page ?? null,
    folder: null,
    note: entry?.note ?? null,
  };
}

export const LIST_HEAD = ['NAME', 'STATE', 'LANGUAGES', 'RATE', 'FAMILY', 'LICENCE', 'SIZE', 'CHANNELS/CORE'];

export const listRow = (model: ListedModel): string[] => [
  model.name,
  model.state.join(', '),
  model.languages.join(' ') || '–',
  model.sampleRate === null ? '–' : `${model.sampleRate / 1000} kHz`,
  model.family ?? '–',
  model.licence ?? 'see page',
  model.megabytes === null ? '–' : `${model.megabytes} MB`,
  model.channelsPerCore === null ? '–' : String(model.channelsPerCore),
];

/** Where the published models are described, and what is to be known of some. */
export function pageLines(models: readonly ListedModel[]): string[] {
  const lines = (of: (model: ListedModel) => string | null): string[] =>
    Object.entries(Object.groupBy(models, (model) => of(model) ?? '')).flatMap(([text, group]) =>
      text === '' ? [] : [text, `  ${(group ?? []).map(({ name }) => name).join(', ')}`],
    );
  return [...lines(({ note }) => (note === null ? null : `Note: ${note}`)), ...lines(({ page }) => page)];
}

/** Channels per core by batch size, as a table of one line. */
export function measuredTable(measured: Measured): { head: string[]; rows: string[][] } {
  const sizes = Object.entries(measured.byBatchSize);
  return {
    head: ['BATCH', ...sizes.map(([size]) => size)],
    rows: [['CHANNELS/CORE', ...sizes.map(([, rate]) => String(rate))]],
  };
}

const STATE_TEXT: Readonly<Record<ModelStatus['state'], string>> = {
  serving: 'serving',
  checking: 'checking the chosen model; the one before it serves',
  swapping: 'replacing the engines one by one; calls go on',
  refused: 'REFUSED: the chosen model cannot be used; the one before it serves',
  stopped: 'stopped',
};

/** What host said, in lines. */
export function statusLines(status: ModelStatus | null, choice: ModelChoice, running: boolean): string[] {
  const chosen = choice.use === null ? SHIPPED : displayName(choice.use);
  if (!running || status === null) {
    const shadow = choice.shadow === null ? '' : `; shadow: ${displayName(choice.shadow)}`;
    return [`Earshot is not running with this DATA_DIR. Chosen for its next start: ${chosen}${shadow}.`];
  }
  const by = status.chosenBy === 'environment' ? ' (by ASR_MODEL)' : '';
  return [
    `Model: ${status.use === null ? SHIPPED : displayName(status.use)}${by}, ${STATE_TEXT[status.state]}`,
    ...(status.message === null ? [] : [`  ${status.message}`]),
    ...status.engines.map(
      ({ engine, pid, model }) => `  engine ${engine} (process ${pid ?? '–'}): ${model ?? 'starting'}`,
    ),
    ...(status.shadow === null
      ? []
      : [
          `Shadow: ${displayName(status.shadow.use)}, ${status.shadow.state}`,
          ...(status.shadow.message === null ? [] : [`  ${status.shadow.message}`]),
        ]),
  ];
}

const displayName = (use: string): string =>
  use === SHIPPED_FOLDER ? SHIPPED : /^[a-z][a-z0-9.+-]*:\/\//i.test(use) ? use : basename(use);
