import { pino, type Logger } from 'pino';

export type Log = Logger;

/**
 * The process's log: one JSON object a line on stdout (host passes its children's on). Message texts are constant,
 * values are fields, and no transcript text or phone number goes above `trace`.
 */
export function createLog(process: string, level: string): Log {
  return pino({
    level,
    base: { process },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    serializers: { err: pino.stdSerializers.err },
    redact: {
      paths: ['secret', 'key', 'authorization', '*.secret', '*.authorization'],
      censor: '[redacted]',
    },
  });
}
