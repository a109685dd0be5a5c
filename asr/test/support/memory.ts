import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

export interface MemorySample {
  readonly heapMb: number;
  /** Of array buffers and other memory beside the heap. */
  readonly externalMb: number;
  readonly rssMb: number;
}

let collect: (() => void) | null = null;

/** What is in use after all garbage was collected, in MiB. */
export async function memoryNow(): Promise<MemorySample> {
  if (collect === null) {
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as () => void;
  }
  // What is freed by one round may hold what the next one frees.
  for (let i = 0; i < 3; i++) {
    collect();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heapMb: heapUsed / 2 ** 20, externalMb: external / 2 ** 20, rssMb: rss / 2 ** 20 };
}
