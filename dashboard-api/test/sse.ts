/** A server-sent event as a client sees it. */
export interface SseMessage {
  readonly id: string | null;
  readonly event: string | null;
  readonly data: string;
}

/** A client of text/event-stream (WHATWG HTML, section 9.2), as small as a test needs it. */
export class SseClient {
  readonly messages: SseMessage[] = [];
  readonly comments: string[] = [];
  readonly response: Response;
  ended = false;
  readonly #abort: AbortController;

  private constructor(response: Response, abort: AbortController) {
    this.response = response;
    this.#abort = abort;
  }

  static async open(url: string, headers: Record<string, string>): Promise<SseClient> {
    const abort = new AbortController();
    const response = await fetch(url, {
      headers: { accept: 'text/event-stream', ...headers },
      signal: abort.signal,
    });
    const client = new SseClient(response, abort);
    void client.#read().catch(() => (client.ended = true));
    return client;
  }

  close(): void {
    this.#abort.abort();
  }

  async #read(): Promise<void> {
    let text = '';
    const decoder = new TextDecoder();
    for await (const chunk of this.response.body ?? []) {
      text += decoder.decode(chunk as Uint8Array, { stream: true });
      const blocks = text.split('\n\n');
      text = blocks.pop() ?? '';
      for (const block of blocks) this.#block(block);
    }
    this.ended = true;
  }

  #block(block: string): void {
    const fields = new Map<string, string>();
    for (const line of block.split('\n')) {
      const colon = line.indexOf(':');
      if (colon === 0) this.comments.push(line.slice(1).trim());
      else fields.set(line.slice(0, colon), line.slice(colon + 1).trim());
    }
    const data = fields.get('data');
    if (data === undefined) return;
    this.messages.push({ id: fields.get('id') ?? null, event: fields.get('event') ?? null, data });
  }
}
