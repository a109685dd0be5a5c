/** Time as the endpoint sees it; tests bring their own. */
export interface Timers {
  /** Runs `run` once after `delayMs`; the function returned cancels it and may be called late or twice. */
  after(delayMs: number, run: () => void): () => void;
}

export const realTimers: Timers = {
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
};

/** RFC 3261 section 17.1.1.1 and table 4, in milliseconds. */
export const T1_MS = 500;
export const T2_MS = 4000;
export const T4_MS = 5000;
/** 64*T1: timers B, F, H, J, L and M, and how long a 2xx waits for its ACK. */
export const GIVE_UP_MS = 64 * T1_MS;
/** Timer D on an unreliable transport. */
export const TIMER_D_MS = 32_000;
