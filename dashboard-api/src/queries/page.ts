import { EarshotError } from '@earshot/contracts';

/**
 * Keyset pagination. A cursor is the sort key of the last row given out: its time (microseconds, as PostgreSQL
 * prints it) and its id. Rows that come or go between two pages move nothing else.
 */
export interface PageKey {
  /** ISO 8601 in UTC with microseconds. */
  readonly at: string;
  readonly id: string;
}

export interface Page<Item> {
  readonly items: Item[];
  readonly nextCursor: string | null;
}

/** The SQL expression that gives a row's PageKey.at for a timestamptz column. */
export const keyTime = (column: string): string =>
  `to_char(${column} at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;

const KEY_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;

export const encodeCursor = (key: PageKey): string =>
  Buffer.from(`${key.at} ${key.id}`).toString('base64url');

/** @throws EarshotError REQUEST_INVALID on anything that encodeCursor did not make */
export function decodeCursor(cursor: string): PageKey {
  const text = Buffer.from(cursor, 'base64url').toString('utf8');
  const space = text.indexOf(' ');
  const key = { at: text.slice(0, Math.max(space, 0)), id: text.slice(space + 1) };
  const valid = KEY_TIME.test(key.at) && !Number.isNaN(Date.parse(key.at)) && /^[\w.-]+$/.test(key.id);
  if (!valid || encodeCursor(key) !== cursor) {
    throw new EarshotError('REQUEST_INVALID', 'cursor is not one that a list gave out.');
  }
  return key;
}

/** A cursor of a list that is sorted by name alone. */
export const encodeNameCursor = (name: string): string => Buffer.from(name).toString('base64url');

/** @throws EarshotError REQUEST_INVALID on anything that encodeNameCursor did not make */
export function decodeNameCursor(cursor: string): string {
  const name = Buffer.from(cursor, 'base64url').toString('utf8');
  if (!/^[\w.-]+$/.test(name) || encodeNameCursor(name) !== cursor) {
    throw new EarshotError('REQUEST_INVALID', 'cursor is not one that a list gave out.');
  }
  return name;
}

/** A cursor of a list along a call's time. */
export const encodeTickCursor = (tick: number): string => Buffer.from(`t${tick}`).toString('base64url');

/** @throws EarshotError REQUEST_INVALID on anything that encodeTickCursor did not make */
export function decodeTickCursor(cursor: string): number {
  const tick = Number(Buffer.from(cursor, 'base64url').toString('utf8').slice(1));
  if (!Number.isSafeInteger(tick) || tick < 0 || encodeTickCursor(tick) !== cursor) {
    throw new EarshotError('REQUEST_INVALID', 'cursor is not one that a list gave out.');
  }
  return tick;
}

/** @param rows up to limit + 1 rows: the one too many says that there is a next page */
export function pageOf<Row extends { key_at: string; id: string }, Item>(
  rows: readonly Row[],
  limit: number,
  view: (row: Row) => Item,
): Page<Item> {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const more = rows.length > limit && last !== undefined;
  return {
    items: shown.map(view),
    nextCursor: more ? encodeCursor({ at: last.key_at, id: last.id }) : null,
  };
}
