import type { CallView, LedgerView } from '@earshot/contracts';
import { useMemo } from 'preact/hooks';
import { clock, roleName } from '../state/format.ts';
import { KIND_NAMES, percentText, type StripRow, stripOf } from '../state/ledger.ts';

interface Props {
  readonly ledger: LedgerView;
  /** How long a live call is by now; null of one that has ended. */
  readonly liveMs: number | null;
  readonly channels: CallView['channels'];
  readonly playingMs: number | null;
  readonly onSeek: ((ms: number) => void) | null;
}

/** Of the drawing; it is stretched to the page's width. */
const WIDTH = 2000;
/** What is narrower would not be seen. */
const MIN_WIDTH = 2;
const HEIGHT = 10;

/** What became of the call's time: a row for each channel, and how much of it was received. */
export function LedgerStrip({ ledger, liveMs, channels, playingMs, onSeek }: Props) {
  const { rows, durationMs } = useMemo(() => {
    const present = channels.filter(({ media }) => media === 'present').map(({ index }) => index);
    return stripOf(ledger, liveMs, new Set(present));
  }, [ledger, liveMs, channels]);
  if (durationMs === 0) return null;
  const seek = (event: MouseEvent): void => {
    const { left, width } = (event.currentTarget as Element).getBoundingClientRect();
    onSeek?.(((event.clientX - left) / width) * durationMs);
  };
  return (
    <section class="ledger" aria-label="What was received">
      {rows.map((row) => (
        <div key={row.channel} class="ledger-row">
          <span class={`ledger-who ${row.side}`}>{roleName(row.role)}</span>
          <svg
            class={`ledger-strip ${row.side}${onSeek === null ? '' : ' seekable'}`}
            viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
            preserveAspectRatio="none"
            role="img"
            aria-label={`${roleName(row.role)}: ${sharesText(row)}`}
            {...(onSeek === null ? {} : { onClick: seek })}
          >
            <path class="received" d={box(0, row.length)} />
            {row.marks.map(({ kind, stretches }) => (
              <path key={kind} class={kind} d={stretches.map(([from, to]) => box(from, to)).join('')} />
            ))}
            {playingMs !== null && (
              <path class="playhead" d={box(playingMs / durationMs, playingMs / durationMs)} />
            )}
          </svg>
        </div>
      ))}
      <Legend rows={rows} durationMs={durationMs} />
    </section>
  );
}

function Legend({ rows, durationMs }: { rows: readonly StripRow[]; durationMs: number }) {
  const kinds = new Map<string, { readonly kind: keyof typeof KIND_NAMES; readonly texts: string[] }>();
  for (const { shares } of rows) {
    for (const { kind } of shares) kinds.set(kind, { kind, texts: [] });
  }
  for (const { kind, texts } of kinds.values()) {
    for (const row of rows) {
      const percent = row.shares.find((share) => share.kind === kind)?.percent;
      texts.push(percent === undefined ? '–' : percentText(percent));
    }
  }
  const order = Object.keys(KIND_NAMES);
  const sorted = [...kinds.values()].sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind));
  return (
    <div class="ledger-legend" aria-hidden="true">
      <span>0:00</span>
      {sorted.map(({ kind, texts }) => (
        <span key={kind} class="ledger-kind">
          <i class={`swatch ${kind}`} /> {KIND_NAMES[kind]} <span class="duration">{texts.join(' / ')}</span>
        </span>
      ))}
      <span class="ledger-end">{clock(durationMs)}</span>
    </div>
  );
}

const sharesText = ({ shares }: StripRow): string =>
  shares.map(({ kind, percent }) => `${percentText(percent)} ${KIND_NAMES[kind]}`).join(', ');

/** @param from @param to 0 to 1 */
function box(from: number, to: number): string {
  const width = Math.max(MIN_WIDTH, (to - from) * WIDTH);
  return `M${Math.min(WIDTH - width, from * WIDTH).toFixed(1)} 0h${width.toFixed(1)}v${HEIGHT}h-${width.toFixed(1)}z`;
}
