/** The gate is in contracts, because the recognition of a recording gates alike. */
export { Gate, HANGOVER_TICKS, PRE_ROLL_TICKS } from '@earshot/contracts';
