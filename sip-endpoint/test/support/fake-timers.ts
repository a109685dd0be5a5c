/** Time that moves only when the test says so. */
export { VirtualTimers as FakeTimers } from '../../src/fuzz/virtual-timers.ts';
