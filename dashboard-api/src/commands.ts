import { catalogue, type Command, EarshotError, type ErrorCode } from '@earshot/contracts';
import { CommandError } from '@earshot/platform';

export interface Commands {
  /** @throws CommandError */
  send(command: Command): Promise<void>;
}

/** Sends a command to transcripts. @throws EarshotError what it was refused with; NOT_READY when nobody answers */
export async function command(commands: Commands, message: Command): Promise<void> {
  try {
    await commands.send(message);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new EarshotError(isKnown(error.code) ? error.code : 'INTERNAL', `${error.message}.`, {
      cause: error,
    });
  }
}

const isKnown = (code: string): code is ErrorCode => Object.hasOwn(catalogue, code);
