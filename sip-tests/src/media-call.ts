import type { MediaFormat } from './encoded.ts';
import { rtpmapOf } from './encoded.ts';
import type { Impairment } from './impairment.ts';
import { type MediaFrame, type RtpPacer, RtpStream } from './rtp-sender.ts';
import { parseAnswer } from './sdp.ts';
import type { SipClient } from './sip-client.ts';
import type { SipDialog } from './sip-dialog.ts';
import { bracketed } from './sip-transport.ts';

export interface MediaCallOptions {
  readonly client: SipClient;
  readonly pacer: RtpPacer;
  /** All of them are offered, in this order. */
  readonly formats: readonly MediaFormat[];
  readonly frames: readonly MediaFrame[];
  readonly impairment?: Impairment;
  readonly user?: string;
}

export interface MediaCallResult {
  readonly callId: string;
  /** Payload types that were answered, at first. */
  readonly answered: readonly number[];
  readonly packetsSent: number;
  /** What the impairment did. */
  readonly lost: number;
  readonly duplicated: number;
}

/** A plain call whose one stream carries packets that were made beforehand, in any codec. */
export class MediaCall {
  readonly #options: MediaCallOptions;
  #stream: RtpStream | undefined;
  #dialog: SipDialog | undefined;
  #version = 1;

  constructor(options: MediaCallOptions) {
    this.#options = options;
  }

  get packetsSent(): number {
    return this.#stream?.packetsSent ?? 0;
  }

  /** INVITE, all packets, BYE. @param during runs while they are sent @throws SipFailure, Error for an answer without audio */
  async run(during: (call: MediaCall) => Promise<void> = async () => undefined): Promise<MediaCallResult> {
    const { client, pacer, frames, formats, impairment, user = 'recorder' } = this.#options;
    const stream = await RtpStream.open(client.local.host);
    this.#stream = stream;
    try {
      const host = bracketed(client.server.host);
      const dialog = await client.invite({
        to: `sip:${user}@${host}:${client.server.port};transport=${client.transport}`,
        from: `"Media caller" <sip:media@${bracketed(client.local.host)}>`,
        contentType: 'application/sdp',
        body: this.#offer(formats),
      });
      this.#dialog = dialog;
      const [answer] = parseAnswer(Buffer.from(dialog.answer.body).toString('utf8')) ?? [];
      if (answer === undefined || answer.port === 0) throw new Error('the answer takes no audio');
      await stream.connect({ address: answer.address, port: answer.port, rtcpPort: answer.rtcpPort });
      const startAtMs = performance.now() + 50;
      stream.play({ frames, startAtMs, cname: dialog.callId, ...(impairment && { impairment }) });
      pacer.add(stream);
      await Promise.all([stream.finished, during(this)]);
      await dialog.bye();
      return {
        callId: dialog.callId,
        answered: answer.payloadTypes,
        packetsSent: stream.packetsSent,
        lost: stream.impairer?.lost ?? 0,
        duplicated: stream.impairer?.duplicated ?? 0,
      };
    } finally {
      await stream.close();
    }
  }

  /** Offers other formats on the same stream. @returns the payload types that are answered */
  async reinvite(
    formats: readonly MediaFormat[],
    direction: 'sendonly' | 'inactive' = 'sendonly',
  ): Promise<number[]> {
    if (this.#dialog === undefined) throw new Error('the call is not up');
    this.#version += 1;
    const response = await this.#dialog.reinvite('application/sdp', this.#offer(formats, direction));
    const [answer] = parseAnswer(Buffer.from(response.body).toString('utf8')) ?? [];
    return answer?.payloadTypes ?? [];
  }

  #offer(formats: readonly MediaFormat[], direction = 'sendonly'): string {
    const address = this.#options.client.local.host;
    const family = address.includes(':') ? 'IP6' : 'IP4';
    return [
      'v=0',
      `o=media 1 ${this.#version} IN ${family} ${address}`,
      's=-',
      `c=IN ${family} ${address}`,
      't=0 0',
      `m=audio ${this.#stream?.localPort ?? 0} RTP/AVP ${formats.map(({ payloadType }) => payloadType).join(' ')}`,
      `a=rtcp:${this.#stream?.localRtcpPort ?? 0}`,
      ...formats.map((format) => `a=rtpmap:${rtpmapOf(format)}`),
      `a=ptime:${formats[0]?.ptimeMs ?? 20}`,
      `a=${direction}`,
      '',
    ].join('\r\n');
  }
}
