import { createLog, type Log } from '@earshot/platform';

/** A log for parts under test: errors only, so that a test's own faults show. */
export const quietLog: Log = createLog('test', 'fatal');
