/** `npm run model`: which models there are, bring one here, change the one that serves. */
import { resolve } from 'node:path';
import { setPriority } from 'node:os';
import { parseArgs } from 'node:util';
import { EarshotError, isEarshotError } from '@earshot/contracts';
import { readConfig } from '@earshot/platform';
import { ChoiceFile } from './src/catalogue/choice.ts';
import { commands } from './src/catalogue/commands.ts';
import { ModelStore } from './src/catalogue/store.ts';
import { Terminal } from './src/catalogue/terminal.ts';

const HELP = `npm run model -- COMMAND

  list                    models: the shipped one, the added ones, published ones that can be added
  add NAME|URL|FILE       download (or copy), unpack, check and measure one; FILE is an archive or a folder
  use NAME|FOLDER|URL     serve with it from now on, without ending a call; "shipped" is the one that came along
  shadow NAME|FOLDER|off  let it listen to live calls beside the serving one, to compare
  status                  what serves, what the shadow says
  check NAME|FOLDER       read and run it, measure channels per core
  remove NAME             delete an added one

  --as NAME         (add) the name it has here
  --accept-change   (add) take an archive that is not the one downloaded first from this address
  --quick           (add, check) without measuring
  --no-wait         (use, shadow) do not wait for Earshot
  --json            one JSON object for machines

Models lie in DATA_DIR/models (DATA_DIR: ./data). ASR_MODEL, where it is set, wins over "use".`;

async function main(): Promise<void> {
  const json = process.argv.includes('--json');
  const terminal = new Terminal(json);
  try {
    const { values, positionals } = parsed();
    const [name = 'help', ...args] = positionals;
    if (name === 'help' || values.help === true) {
      process.stdout.write(`${HELP}\n`);
      return;
    }
    const command = commands[name];
    if (command === undefined)
      throw new EarshotError('REQUEST_INVALID', `there is no command "${name}"; see help`);
    // Live calls on this machine go first.
    setPriority(10);
    const config = readConfig(process.env);
    const dataDir = resolve(config.dataDir);
    const room = {
      dataDir,
      store: new ModelStore(dataDir),
      choice: new ChoiceFile(dataDir),
      terminal,
      asrModel: config.asrModel,
    };
    await command(room, args, {
      as: values.as ?? null,
      quick: values.quick ?? false,
      acceptChange: values['accept-change'] ?? false,
      wait: !(values['no-wait'] ?? false),
    });
  } catch (error) {
    fail(error, terminal);
  }
}

function parsed() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        as: { type: 'string' },
        'accept-change': { type: 'boolean' },
        quick: { type: 'boolean' },
        'no-wait': { type: 'boolean' },
        json: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new EarshotError('REQUEST_INVALID', (error as Error).message, { cause: error });
  }
}

function fail(error: unknown, terminal: Terminal): void {
  process.exitCode = 1;
  const known = isEarshotError(error)
    ? { code: error.code, title: error.title, message: error.message, action: error.action }
    : {
        code: 'INTERNAL',
        title: 'Something went wrong',
        message: error instanceof Error ? (error.stack ?? error.message) : String(error),
        action: '',
      };
  terminal.result({ ok: false, error: known });
  if (!terminal.json)
    process.stderr.write(`${known.title} (${known.code}).\n  ${known.message}\n  ${known.action}\n`);
}

await main();
