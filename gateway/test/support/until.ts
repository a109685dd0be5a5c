/** Waits for a condition, with a limit; the message says what did not happen. */
export async function until<T>(
  what: string,
  condition: () => T | undefined | null | false,
  limitMs = 8_000,
): Promise<T> {
  const deadline = performance.now() + limitMs;
  for (;;) {
    const value = condition();
    if (value !== undefined && value !== null && value !== false) return value;
    if (performance.now() > deadline) throw new Error(`not within ${limitMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
