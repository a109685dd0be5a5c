import type {
  CallView,
  DiagnosisView,
  EventView,
  LedgerView,
  ProblemView,
  TraceView,
  TranscriptView,
} from '@earshot/contracts';

/** REST as the page needs it. The session's cookie goes along by itself. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  constructor(status: number, code: string, message: string) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.code = code;
  }

  /** It may work later: the server was away, or had a trouble of its own. */
  get passing(): boolean {
    return this.status === 0 || this.status >= 500;
  }
}

let signedOut = (): void => undefined;
/** Calls it when an answer says that there is no session any more. */
export const onSignedOut = (listener: () => void): void => void (signedOut = listener);

/** The server gives up sooner; this is for one that says nothing at all. */
const CHANGE_LIMIT_MS = 15_000;

/** How far the server's clock is ahead of this computer's, in ms. */
let serverAheadMs = 0;
export const serverNow = (): number => Date.now() + serverAheadMs;

const get = <T>(path: string, signal?: AbortSignal): Promise<T> => request('GET', path, signal);

async function request<T>(
  method: 'GET' | 'POST',
  path: string,
  signal?: AbortSignal,
  sent?: object,
): Promise<T> {
  let response: Response;
  let body: unknown;
  try {
    response = await fetch(path, {
      method,
      headers: {
        accept: 'application/json',
        ...(sent === undefined ? {} : { 'content-type': 'application/json' }),
      },
      body: sent === undefined ? null : JSON.stringify(sent),
      signal: signal ?? null,
    });
    body = await response.json();
  } catch (error) {
    const reason: unknown = signal?.reason;
    // Whoever asked asks no more; a time-out is the server's doing.
    if (signal?.aborted && !(reason instanceof DOMException && reason.name === 'TimeoutError')) throw error;
    // No answer, half an answer, or one that is not ours (a proxy's page).
    throw new ApiError(0, 'UNREACHABLE', 'The server cannot be reached.');
  }
  setClock(response);
  if (response.ok) return body as T;
  if (response.status === 401) signedOut();
  const problem = body as Partial<ProblemView> | null;
  throw new ApiError(
    response.status,
    problem?.code ?? 'INTERNAL',
    `${problem?.detail ?? 'The request failed.'} ${problem?.action ?? ''}`.trim(),
  );
}

/** The Date header is cut to whole seconds: half a second is in the middle. A small difference is not worth a jump. */
function setClock(response: Response): void {
  const date = Date.parse(response.headers.get('date') ?? '');
  if (Number.isNaN(date)) return;
  const ahead = date + 500 - Date.now();
  serverAheadMs = Math.abs(ahead) < 2000 ? 0 : ahead;
}

export interface Page<Item> {
  readonly items: Item[];
  readonly nextCursor: string | null;
}

export interface Capacity {
  readonly liveCalls: number;
  readonly channels: number;
  readonly maxCalls: number | null;
  readonly headroom: number | null;
  readonly draining: boolean;
  readonly sip: { readonly host: string; readonly port: number } | null;
}

const query = (parameters: Record<string, string | number | null | undefined>): string => {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== null && value !== undefined && value !== '') search.set(name, String(value));
  }
  return search.toString();
};

export async function allLiveCalls(): Promise<CallView[]> {
  const calls: CallView[] = [];
  let cursor: string | null = null;
  do {
    const page: Page<CallView> = await get(`/v1/calls?${query({ state: 'live', limit: 500, cursor })}`);
    calls.push(...page.items);
    cursor = page.nextCursor;
  } while (cursor !== null);
  return calls;
}

/** The ids of live calls that the server finds, in all that was said so far. */
export const findLiveCalls = async (q: string, signal: AbortSignal): Promise<ReadonlySet<string>> => {
  const page: Page<CallView> = await get(`/v1/calls?${query({ state: 'live', q, limit: 500 })}`, signal);
  return new Set(page.items.map((found) => found.id));
};

export const endedCalls = (
  q: string,
  limit: number,
  cursor: string | null,
  signal?: AbortSignal,
): Promise<Page<CallView>> => get(`/v1/calls?${query({ state: 'ended', q, limit, cursor })}`, signal);

const callPath = (id: string): string => `/v1/calls/${encodeURIComponent(id)}`;

export const call = (id: string): Promise<CallView> => get(callPath(id));
export const transcript = (id: string): Promise<TranscriptView> => get(`${callPath(id)}/transcript`);
/** All pages as one. @param minMs shorter spans are left out @param limit spans, and notes, of a channel on a page */
export async function ledger(id: string, minMs: number, limit = 5000): Promise<LedgerView> {
  const pages: LedgerView[] = [];
  let cursor: string | null = null;
  do {
    const page: LedgerView = await get(`${callPath(id)}/ledger?${query({ minMs, limit, cursor })}`);
    pages.push(page);
    cursor = page.nextCursor;
  } while (cursor !== null);
  const [last] = pages.slice(-1);
  const all = (channel: number) =>
    pages.flatMap((page) => page.channels.filter((one) => one.channel === channel));
  return {
    ...last!,
    // Sums are of the whole call on each page.
    channels: last!.channels.map((one) => ({
      ...one,
      spans: all(one.channel).flatMap(({ spans }) => spans),
      notes: all(one.channel).flatMap(({ notes }) => notes),
    })),
  };
}
/** Resolves when it is so. */
export const pause = (id: string, paused: boolean): Promise<{ callId: string; paused: boolean }> =>
  request('POST', `${callPath(id)}/${paused ? 'pause' : 'resume'}`, AbortSignal.timeout(CHANGE_LIMIT_MS));
export interface Correction {
  readonly role: string;
  /** Without a name that stays as it is. */
  readonly participant: { readonly name?: string | null };
}
/** Says who speaks on a channel. @returns the call that is so then */
export const correct = (id: string, index: number, correction: Correction): Promise<CallView> =>
  request('POST', `${callPath(id)}/channels/${index}`, AbortSignal.timeout(CHANGE_LIMIT_MS), correction);
export const trace = (id: string): Promise<TraceView> => get(`${callPath(id)}/trace`);
export const diagnosis = (id: string): Promise<DiagnosisView> => get(`${callPath(id)}/diagnosis`);
export const capacity = (): Promise<Capacity> => get('/v1/capacity');
export const fileUrl = (id: string, name: string): string => `${callPath(id)}/${name}`;

export const eventsAfter = async (after: number, limit: number): Promise<EventView[]> =>
  (await get<{ items: EventView[] }>(`/v1/events?${query({ after: Math.max(0, after), limit })}`)).items;
