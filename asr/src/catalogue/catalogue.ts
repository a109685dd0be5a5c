import { readFileSync } from 'node:fs';

/** A published streaming model. Facts are as its publisher states them. */
export interface CatalogueEntry {
  readonly name: string;
  /** A line for people: what it is. */
  readonly title: string;
  /** BCP 47 codes. */
  readonly languages: readonly string[];
  /** Hz of the audio that it was trained on; 8000 is telephony, others are resampled to. */
  readonly sampleRate: number;
  /** Which loader reads it: a `format` of asr/src/models. */
  readonly family: string;
  /** Its public release page. */
  readonly page: string;
  /** The archive. */
  readonly url: string;
  /** SPDX name; null where the publisher states none, which is for the user to find out. */
  readonly licence: string | null;
  /** Of the archive, about; null when it is not known. */
  readonly megabytes: number | null;
  /** Lower-case hexadecimal; left out where the publisher states none: pinned at the first download. */
  readonly sha256?: string;
  readonly note?: string;
}

let entries: readonly CatalogueEntry[] | null = null;

/** The models that are known by name: catalogue.json beside this file. */
export function catalogue(): readonly CatalogueEntry[] {
  entries ??= JSON.parse(
    readFileSync(new URL('./catalogue.json', import.meta.url), 'utf8'),
  ) as CatalogueEntry[];
  return entries;
}

export const entryOf = (name: string): CatalogueEntry | null =>
  catalogue().find((entry) => entry.name === name) ?? null;
