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
  return globalThis.process.stdout.isTTY ? pino(options, forPeople()) : pino(options);
}

const forPeople = (): DestinationStream =>
  PinoPretty({
    colorize: true,
    sync: true,
    translateTime: 'SYS:HH:MM:ss.l',
    messageFormat: '{process} {msg}',
    ignore: 'process',
  });
