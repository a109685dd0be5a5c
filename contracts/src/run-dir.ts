/** Names of the Unix sockets in EARSHOT_RUN_DIR. Short: a socket's path is limited to 107 bytes. */
export const sockets = {
  control: (worker: number): string => `media-${worker}.control`,
  audio: (engine: number): string => `asr-${engine}.audio`,
  words: 'transcripts.words',
  commit: 'transcripts.commit',
  calls: 'transcripts.calls',
  commands: 'transcripts.commands',
  live: (instance: number): string => `api-${instance}.live`,
} as const;
