/** The value of each of the 65536 halves (IEEE 754 binary16), made at the first use. */
let table: Float32Array | null = null;

function halfValue(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** @param halves their bits @param count how many, from index 0 on */
export function halfToFloat(halves: Uint16Array, floats: Float32Array, count: number): void {
  table ??= Float32Array.from({ length: 65536 }, (_, bits) => halfValue(bits));
  for (let i = 0; i < count; i++) floats[i] = table[halves[i]!]!;
}
