/** Zero crossings of the sinc on each side: stop band below -70 dB with the window used. */
const CROSSINGS = 24;
/** Of the lower of both rates' half: what is kept flat. */
const PASS = 0.94;

/**
 * Any rate to any other by a windowed sinc (Blackman), cut below half the lower rate.
 * @param pcm 16-bit @returns 16-bit, as long in time
 */
export function resample(pcm: Int16Array, from: number, to: number): Int16Array {
  if (from === to) return pcm;
  const cutoff = (PASS * Math.min(from, to)) / from;
  const half = Math.ceil(CROSSINGS / cutoff);
  const out = new Int16Array(Math.round((pcm.length * to) / from));
  for (let n = 0; n < out.length; n++) {
    const centre = (n * from) / to;
    const first = Math.max(0, Math.ceil(centre - half));
    const last = Math.min(pcm.length - 1, Math.floor(centre + half));
    let sum = 0;
    for (let i = first; i <= last; i++) {
      const x = i - centre;
      const phase = Math.PI * cutoff * x;
      const sinc = x === 0 ? 1 : Math.sin(phase) / phase;
      const at = (Math.PI * x) / half;
      const window = 0.42 + 0.5 * Math.cos(at) + 0.08 * Math.cos(2 * at);
      sum += pcm[i]! * sinc * window;
    }
    out[n] = Math.max(-32768, Math.min(32767, Math.round(sum * cutoff)));
  }
  return out;
}
