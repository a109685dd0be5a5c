const INSIDE = 0;
const CLOSED = 1;

/** Shared by two threads: whether the worker is inside onnxruntime, and whether it may enter. */
export type GateState = Int32Array<SharedArrayBuffer>;

/** Of a worker that is about to load its model, which counts as inside. */
export function newGateState(): GateState {
  const state = new Int32Array(new SharedArrayBuffer(8));
  state[INSIDE] = 1;
  return state;
}

/** Worker: runs native calls. Where the gate is closed it does not return, and the thread sleeps until it is ended. */
export async function inside<T>(state: GateState, run: () => Promise<T>): Promise<T> {
  Atomics.store(state, INSIDE, 1);
  if (Atomics.load(state, CLOSED) === 1) {
    leave(state);
    Atomics.wait(state, CLOSED, 1);
  }
  try {
    return await run();
  } finally {
    leave(state);
  }
}

function leave(state: GateState): void {
  Atomics.store(state, INSIDE, 0);
  Atomics.notify(state, INSIDE);
}

/** Main thread: lets the worker in no more, and blocks while it is inside. @returns false: it still is, after limitMs */
export function closeGate(state: GateState, limitMs: number): boolean {
  Atomics.store(state, CLOSED, 1);
  return Atomics.wait(state, INSIDE, 1, limitMs) !== 'timed-out';
}
