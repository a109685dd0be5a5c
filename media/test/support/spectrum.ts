/** A radix-2 Fourier transform in place, for measurements. */
export function fourier(real: Float64Array, imaginary: Float64Array): void {
  const n = real.length;
  for (let i = 1, j = 0; i < n; i++) {
    let bit = n >> 1;
    for (; (j & bit) !== 0; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [real[i], real[j]] = [real[j]!, real[i]!];
      [imaginary[i], imaginary[j]] = [imaginary[j]!, imaginary[i]!];
    }
  }
  for (let span = 2; span <= n; span <<= 1) {
    const half = span / 2;
    for (let k = 0; k < half; k++) {
      const cos = Math.cos((-2 * Math.PI * k) / span);
      const sin = Math.sin((-2 * Math.PI * k) / span);
      for (let a = k; a < n; a += span) {
        const b = a + half;
        const re = real[b]! * cos - imaginary[b]! * sin;
        const im = real[b]! * sin + imaginary[b]! * cos;
        real[b] = real[a]! - re;
        imaginary[b] = imaginary[a]! - im;
        real[a]! += re;
        imaginary[a]! += im;
      }
    }
  }
}

/** Power in `size / 2` bins of pcm[from..from + size), a power of two, behind a Hann window; outside of pcm is silence. */
export function powerSpectrum(pcm: Int16Array, from: number, size: number): Float64Array {
  const real = Float64Array.from(
    { length: size },
    (_, i) => (pcm[from + i] ?? 0) * (0.5 - 0.5 * Math.cos((2 * Math.PI * (i + 0.5)) / size)),
  );
  const imaginary = new Float64Array(size);
  fourier(real, imaginary);
  return Float64Array.from({ length: size / 2 }, (_, k) => real[k]! ** 2 + imaginary[k]! ** 2);
}

/** Power of the spectrum from one frequency to another. */
export function bandPower(spectrum: Float64Array, rate: number, fromHz: number, toHz: number): number {
  const perBin = rate / (2 * spectrum.length);
  let sum = 0;
  for (let k = Math.round(fromHz / perBin); k < Math.min(spectrum.length, Math.round(toHz / perBin)); k++) {
    sum += spectrum[k]!;
  }
  return sum;
}
