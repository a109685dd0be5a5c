export * from './child.ts';
export * from './config.ts';
export * from './database.ts';
export * from './event-row.ts';
export * from './ipc/index.ts';
export * from './log.ts';
export * from './metrics.ts';
export { addressCheck } from './settings.ts';
