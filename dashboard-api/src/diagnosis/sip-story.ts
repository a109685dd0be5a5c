import type { TraceItemView } from '@earshot/contracts';

/** An m-line of audio, as a message's SDP has it (RFC 8866 section 5.14). */
export interface AudioLine {
  readonly port: number;
  readonly protocol: string;
  /** Payload types with their names where the SDP gives them: `18`, `96 opus`. */
  readonly formats: readonly string[];
  readonly label: string | null;
  /** sendrecv where nothing is said. */
  readonly direction: string;
  /** Of c=, of the line or of the session. */
  readonly address: string | null;
}

export interface Described {
  readonly item: TraceItemView;
  readonly lines: readonly AudioLine[];
}

/** What a call's messages say of it. */
export interface SipStory {
  /** Our 2xx to an INVITE, and whether an ACK came after it; null where we have not answered. */
  readonly answered: TraceItemView | null;
  readonly acked: boolean;
  /** The last SDP that the caller sent, and the last that we sent. */
  readonly theirs: Described | null;
  readonly ours: Described | null;
  /** Every SDP of the caller's put all of its streams on hold. */
  readonly alwaysHeld: boolean;
}

export function sipStoryOf(items: readonly TraceItemView[]): SipStory {
  const described = items.flatMap((item): Described[] => {
    const lines = audioLinesOf(item.text);
    return lines === null ? [] : [{ item, lines }];
  });
  const theirs = described.filter(({ item }) => item.direction === 'in');
  const answered = items.find(
    ({ direction, method, status }) =>
      direction === 'out' && method === 'INVITE' && Math.floor((status ?? 0) / 100) === 2,
  );
  return {
    answered: answered ?? null,
    acked: items.some(
      ({ direction, method, status }) => direction === 'in' && method === 'ACK' && status === null,
    ),
    theirs: theirs.at(-1) ?? null,
    ours: described.findLast(({ item }) => item.direction === 'out') ?? null,
    alwaysHeld: theirs.length > 0 && theirs.every(({ lines }) => lines.length > 0 && lines.every(isHeld)),
  };
}

/** On hold, by the direction or in the way that was used before RFC 3264 (its section 8.4). */
export const isHeld = ({ direction, address }: AudioLine): boolean =>
  direction === 'inactive' || direction === 'recvonly' || address === '0.0.0.0' || address === '::';

/** Null where the message has no SDP; it may be one part of a body. */
function audioLinesOf(text: string): AudioLine[] | null {
  const sdp = /^v=0[ \t]*\r?\n(?:[a-z]=[^\r\n]*(?:\r?\n|$))+/m.exec(text)?.[0];
  if (sdp === undefined) return null;
  const [session = '', ...media] = sdp.split(/^(?=m=)/m);
  return media.flatMap((block): AudioLine[] => {
    const [, port = '', protocol = '', types = ''] =
      /^m=audio +(\d{1,9})\S* +(\S+) *([^\r\n]*)/.exec(block) ?? [];
    if (port === '') return [];
    const names = new Map(
      [...block.matchAll(/^a=rtpmap:(\d+) +([^/\s]+)/gm)].map(([, type, name]) => [type, name] as const),
    );
    return [
      {
        port: Number(port),
        protocol,
        formats: types
          .trim()
          .split(/\s+/)
          .map((type) => `${type} ${names.get(type) ?? ''}`.trim()),
        label: /^a=label:(\S+)/m.exec(block)?.[1] ?? null,
        direction: directionOf(block) ?? directionOf(session) ?? 'sendrecv',
        address: addressOf(block) ?? addressOf(session),
      },
    ];
  });
}

const directionOf = (block: string): string | null =>
  /^a=(sendrecv|sendonly|recvonly|inactive)[ \t]*$/m.exec(block)?.[1] ?? null;

const addressOf = (block: string): string | null => /^c=IN IP[46] ([^\s/]+)/m.exec(block)?.[1] ?? null;
