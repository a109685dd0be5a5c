import type { VocabularyPhrase, VocabularySummaryView, VocabularyView } from '@earshot/contracts';
import type { Database } from './database.ts';

interface SummaryRow {
  readonly name: string;
  readonly count: number;
  readonly updated_at: Date;
}

/** By name, after one. */
export async function listVocabulary(
  db: Database,
  after: string,
  limit: number,
): Promise<VocabularySummaryView[]> {
  const rows = await db.rows<SummaryRow>(
    `select name, jsonb_array_length(phrases) as count, updated_at from vocabulary
     where name collate "C" > $1 order by name collate "C" limit $2`,
    [after, limit],
  );
  return rows.map((row) => ({
    name: row.name,
    phraseCount: row.count,
    updatedAt: row.updated_at.toISOString(),
  }));
}

export async function findVocabulary(db: Database, name: string): Promise<VocabularyView | null> {
  const row = await db.first<{ name: string; phrases: VocabularyPhrase[]; updated_at: Date }>(
    'select name, phrases, updated_at from vocabulary where name = $1',
    [name],
  );
  if (row === null) return null;
  return { name: row.name, phrases: row.phrases, updatedAt: row.updated_at.toISOString() };
}

/** Those of the names that are no lists. */
export async function missingVocabulary(db: Database, names: readonly string[]): Promise<string[]> {
  const rows = await db.rows<{ name: string }>('select name from vocabulary where name = any($1)', [names]);
  const known = new Set(rows.map((row) => row.name));
  return names.filter((name) => !known.has(name));
}
