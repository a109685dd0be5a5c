import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { CallView, TranscriptView } from '@earshot/contracts';
import { type Dialogue, type Party } from '../../src/dialogue.ts';
import type { EarshotProcess } from '../../src/earshot-process.ts';

export interface Received {
  readonly headers: Record<string, string>;
  readonly body: string;
}

/** A CRM: keeps every webhook that comes in, answers 204. */
export class Crm {
  readonly received: Received[] = [];
  readonly #server: http.Server;

  private constructor(server: http.Server) {
    this.#server = server;
  }

  static async open(): Promise<Crm> {
    const server = http.createServer();
    const crm = new Crm(server);
    server.on('request', (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const headers = Object.fromEntries(
          Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
        );
        crm.received.push({ headers, body: Buffer.concat(chunks).toString() });
        response.writeHead(204).end();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return crm;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/hooks`;
  }

  close(): void {
    this.#server.close();
  }
}

/** The call that the SIP side knows by this Call-ID; null while Earshot does not know it. */
export async function callBySipId(earshot: EarshotProcess, sipCallId: string): Promise<CallView | null> {
  const { items } = await earshot.get<{ items: CallView[] }>('/v1/calls?limit=100');
  return items.find((call) => call.sip.callId === sipCallId) ?? null;
}

export const transcriptOf = (earshot: EarshotProcess, callId: string): Promise<TranscriptView> =>
  earshot.get<TranscriptView>(`/v1/calls/${callId}/transcript`);

/** All that a channel said, in order. */
export const spokenBy = (transcript: TranscriptView, channel: number): string =>
  transcript.segments
    .filter((segment) => segment.channel === channel)
    .map((segment) => segment.spoken)
    .join(' ');

export const scriptOf = (dialogue: Dialogue, party: Party): string =>
  dialogue.parties[party].turns.map((turn) => turn.text).join(' ');

const SILENCE = 0xff;

/** The dialogue, and then silence until somebody hangs up. */
export const andSilence = (dialogue: Dialogue, seconds: number): Dialogue =>
  withAudio(dialogue, dialogue.durationMs + 1000 * seconds, (audio, spoken) => audio.set(spoken));

/** A dialogue in which nobody says anything. */
export const silence = (dialogue: Dialogue, seconds: number): Dialogue =>
  withAudio(dialogue, 1000 * seconds, () => undefined);

function withAudio(
  dialogue: Dialogue,
  durationMs: number,
  speak: (audio: Uint8Array, spoken: Uint8Array) => void,
): Dialogue {
  const mulaw = (party: Party): Uint8Array => {
    const audio = new Uint8Array(durationMs * 8).fill(SILENCE);
    speak(audio, dialogue.parties[party].mulaw);
    return audio;
  };
  const { agent, customer } = dialogue.parties;
  const parties = {
    agent: { ...agent, mulaw: mulaw('agent') },
    customer: { ...customer, mulaw: mulaw('customer') },
  };
  return { ...dialogue, durationMs, parties };
}
