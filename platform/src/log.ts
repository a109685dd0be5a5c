import { type DestinationStream, type Logger, pino } from 'pino';
import { PinoPretty } from 'pino-pretty';

export type Log = Logger;

/**
 * The process's log on stdout: one JSON object a line, or one short line for a person when stdout is a terminal. Message
 * texts are constant, values are fields, and no transcript text or phone number goes above `trace`.
 */
export function createLog(process: string, level: string): Log {
  const options = {
    level,
    base: { process },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { err: pino.stdSerializers.err },
    redact: {
      paths: ['secret', 'key', 'authorization', '*.secret', '*.authorization'],
      censor: '[redacted]',
    },
  };
  return pino(options, globalThis.process.stdout.isTTY ? forPeople() : standardOutput());
}

/** A terminal that was closed, or a pipe whose reader has gone, loses log lines; it must not end a call. */
function standardOutput(): ReturnType<typeof pino.destination> {
  const destination = pino.destination({ dest: 1, sync: true });
  destination.on('error', () => undefined);
  return destination;
}

const forPeople = (): DestinationStream =>
  PinoPretty({
    destination: standardOutput(),
    singleLine: true,
    colorize: true,
    translateTime: 'SYS:HH:MM:ss.l',
    messageFormat: '{process} {msg}',
    ignore: 'process,pid',
  });
