import { catalogue } from '@earshot/contracts';
import { settings } from '@earshot/platform';

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

function defaultOf(value: string | number | readonly string[] | null): string {
  if (value === null) return '–';
  return `\`${typeof value === 'object' ? value.join(',') : value}\``;
}

/** docs/configuration.md, from the settings' schema. */
export function configurationPage(): string {
  const rows = Object.entries(settings).map(
    ([name, setting]) =>
      `| \`${name}\` | ${cell(setting.form)} | ${defaultOf(setting.defaultValue)} | ${cell(setting.meaning)} |`,
  );
  return [
    '# Configuration',
    '',
    'Earshot is configured by environment variables. They are checked at start, and every fault is named at once.',
    'This page is generated from the schema by `node start.mjs docs`; a test compares them.',
    '',
    '| variable | form | default | meaning |',
    '|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}

/** docs/errors.md, from the error catalogue. */
export function errorsPage(): string {
  const rows = Object.entries(catalogue).map(
    ([code, entry]) => `| \`${code}\` | ${entry.status} | ${cell(entry.title)} | ${cell(entry.action)} |`,
  );
  return [
    '# Error codes',
    '',
    'Codes are stable: REST shows them as `code` in problem details (RFC 9457), the log as `code`, and SIP answers name the',
    'fault in the reason phrase and a Warning header. This page is generated from the catalogue by `node start.mjs docs`.',
    '',
    '| code | HTTP or SIP status | what it says | what to do |',
    '|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}
