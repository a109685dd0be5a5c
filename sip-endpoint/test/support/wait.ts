/** How long a test waits for a condition; generous, because the machine may be busy. */
export const LIMIT_MS = 10_000;

/** Resolves with the first defined value handed to `check`; rejects, naming `what`, after the limit. */
export function withLimit<T>(
  what: string,
  start: (check: (value: T | undefined) => void) => () => void,
  limitMs = LIMIT_MS,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const holder: { stop?: () => void } = {};
    let settled = false;
    const end = (): void => {
      settled = true;
      clearTimeout(timer);
      holder.stop?.();
    };
    const timer = setTimeout(() => {
      end();
      reject(new Error(`not seen in time: ${what}`));
    }, limitMs);
    const stop = start((value) => {
      if (value === undefined || settled) return;
      end();
      resolve(value);
    });
    holder.stop = stop;
    if (settled) stop();
  });
}

/** Polls until the condition holds. */
export async function eventually(what: string, condition: () => boolean): Promise<void> {
  await withLimit<true>(what, (check) => {
    const poll = setInterval(() => check(condition() ? true : undefined), 5);
    return () => clearInterval(poll);
  });
}
