import { VOCABULARY_LIMITS, type VocabularyList, type VocabularyPhrase } from '@earshot/contracts';
import type { Pool } from '@earshot/platform';
import { jsonParameter } from './rows.ts';

export async function loadVocabulary(pool: Pool): Promise<VocabularyList[]> {
  const { rows } = await pool.query<VocabularyList>('select name, phrases from vocabulary order by name');
  return rows;
}

/** Makes or replaces a list. @returns false when there are too many lists or phrases */
export async function putVocabulary(
  pool: Pool,
  name: string,
  phrases: readonly VocabularyPhrase[],
  now: Date,
): Promise<boolean> {
  const { rowCount } = await pool.query(
    `insert into vocabulary (name, phrases, updated_at)
     select $1, $2::jsonb, $3
     where (select count(*) from vocabulary where name <> $1) < $4
       and (select coalesce(sum(jsonb_array_length(phrases)), 0) from vocabulary where name <> $1) + $5 <= $6
     on conflict (name) do update set phrases = excluded.phrases, updated_at = excluded.updated_at`,
    [
      name,
      jsonParameter(phrases),
      now,
      VOCABULARY_LIMITS.lists,
      phrases.length,
      VOCABULARY_LIMITS.phrasesInAll,
    ],
  );
  return (rowCount ?? 0) > 0;
}

export async function deleteVocabulary(pool: Pool, name: string): Promise<boolean> {
  return ((await pool.query('delete from vocabulary where name = $1', [name])).rowCount ?? 0) > 0;
}
