/** `npm run signin`: asks the running Earshot for a new one-time link to the dashboard and prints it. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isEarshotError } from '@earshot/contracts';
import { readConfig } from '@earshot/platform';

async function main(): Promise<void> {
  const config = readConfig(process.env);
  const key = config.apiKey ?? (await readFile(join(config.dataDir, 'api-key'), 'utf8')).trim();
  const url = config.publicUrl ?? `http://${config.httpBind}:${config.httpPort}`;
  const response = await fetch(`${url}/v1/signin-links`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}` },
  });
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${await response.text()}`);
  const link = (await response.json()) as { url: string; expiresAt: string };
  process.stdout.write(`${link.url}\nGood for one sign-in until ${link.expiresAt}.\n`);
}

main().catch((error: unknown) => {
  const reason = isEarshotError(error)
    ? `${error.message} ${error.action}`
    : error instanceof Error
      ? error.message
      : String(error);
  process.stderr.write(
    `No link: ${reason}\nIs Earshot running (npm start), with the same DATA_DIR, HTTP_PORT and API_KEY?\n`,
  );
  process.exit(1);
});
