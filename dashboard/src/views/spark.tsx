/** Who spoke when in the last minute: one party's words as bars upwards, the other's downwards. */
const WIDTH = 90;
const HALF = 14;
/** Words in two seconds that fill a bar: fast speech. */
const FULL = 8;

export function Spark({ up, down }: { up: readonly number[]; down: readonly number[] }) {
  return (
    <svg class="spark" viewBox={`0 0 ${WIDTH} ${2 * HALF}`} aria-hidden="true" preserveAspectRatio="none">
      <path class="base" d={`M0 ${HALF}H${WIDTH}`} />
      <path class="left" d={bars(up, -1)} />
      <path class="right" d={bars(down, 1)} />
    </svg>
  );
}

function bars(levels: readonly number[], direction: 1 | -1): string {
  const step = WIDTH / Math.max(1, levels.length);
  return levels
    .map((level, index) =>
      level === 0
        ? ''
        : `M${((index + 0.5) * step).toFixed(1)} ${HALF + direction}v${(direction * Math.max(2, Math.min(1, level / FULL) * (HALF - 2))).toFixed(1)}`,
    )
    .join('');
}
