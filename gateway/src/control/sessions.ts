import { isDeepStrictEqual } from 'node:util';
import { channelIdOf, EarshotError, type ChannelInfo, type ChannelPorts, type Leg } from '@earshot/contracts';
import { mergeMetadata, moreIds, namesInHeaders, type InviteHeaders } from '../dialects/index.ts';
import type { CallRecord } from '../journal/record.ts';
import { requireAcceptable, type Offer } from '../sdp/offer.ts';
import type { CallTools } from './dialog.ts';
import { answerAfter, describeChannels, legForAdded, renegotiate, type Description } from './negotiation.ts';

type Read = Extract<Description, { kind: 'read' }>;

/** What an offer, an answer or new metadata in a dialog make of its record; the media worker is told. */
export class Sessions {
  readonly #tools: Pick<CallTools, 'placement' | 'log' | 'agents'>;

  constructor(tools: Pick<CallTools, 'placement' | 'log' | 'agents'>) {
    this.#tools = tools;
  }

  /**
   * The record after an offer of the peer's, or after metadata alone. What repeats what was said before changes nothing.
   * @throws EarshotError CODEC_UNSUPPORTED, or what the media worker says: the session is as it was
   */
  async afterOffer(record: CallRecord, description: Read, request: InviteHeaders): Promise<CallRecord> {
    const { sdp, offer } = description;
    if (offer === null || sdp === null) return this.described(record, description, request);
    const next = await this.#withOffer(record, offer, sdp);
    return this.described(next, description, request, offer);
  }

  /**
   * The record after the peer's answer to an offer of ours.
   * @throws EarshotError SDP_NO_AUDIO, CODEC_UNSUPPORTED when it takes none of our streams, or what the media worker says
   */
  async afterAnswer(record: CallRecord, answer: Offer, sdp: string): Promise<CallRecord> {
    if (record.offerSdp === null) requireAcceptable(answer);
    const { legs } = renegotiate(record, answer);
    await this.tell(record, legs);
    return { ...record, legs, offerSdp: sdp, awaitingAnswer: false };
  }

  /** Who is on the channels of the record's dialog, as the request and its metadata say. Those of other dialogs stay as they are. */
  described(record: CallRecord, { metadata: news }: Read, request: InviteHeaders, offer?: Offer): CallRecord {
    const headersAlone = news === null && offer === undefined;
    if (headersAlone && !namesInHeaders(record.info.dialect)) return record;
    const metadata = news === null ? record.metadata : mergeMetadata(record.metadata, news);
    const { callId, dialect, channels } = record.info;
    const on = new Map(
      record.legs.flatMap((leg) => leg.channels).map((channel) => [channel.channel, channel]),
    );
    const own = channels.filter(({ channel }) => on.has(channel));
    const streams = own.map(({ index, label, codec, channel }) => ({
      label: offer?.media[record.media.indexOf(index)]?.label ?? label,
      codec: on.get(channel)?.codecs[0]?.name ?? codec,
    }));
    const described = describeChannels(callId, dialect, request, metadata, streams, own, this.#tools.agents);
    const byChannel = new Map(
      own.map(({ channel, index }, place) => [channel, { ...described[place]!, channel, index }]),
    );
    const info = {
      ...record.info,
      externalIds: moreIds(record.info.externalIds, request, metadata),
      channels: channels.map((each) => byChannel.get(each.channel) ?? each),
    };
    // A refresh of the session says the same again.
    return headersAlone && isDeepStrictEqual(info, record.info) ? record : { ...record, metadata, info };
  }

  async #withOffer(record: CallRecord, offer: Offer, sdp: string): Promise<CallRecord> {
    const { legs, assignment } = renegotiate(record, offer);
    await this.tell(record, legs);
    const changed = { ...record, legs, media: assignment.media };
    const opened = assignment.added.length === 0 ? changed : await this.#withAdded(changed, assignment.added);
    const answer = answerAfter(record.answer, offer, opened.media, opened.legs, opened.ports);
    return { ...opened, offerSdp: sdp, awaitingAnswer: false, answer };
  }

  /** With a further leg for the streams that an offer adds. Where no worker takes it the call goes on: they are refused by port 0. */
  async #withAdded(record: CallRecord, added: Parameters<typeof legForAdded>[1]): Promise<CallRecord> {
    const { callId, channels, worker, paused } = record.info;
    const { zero, rtpTimeoutS, record: keep, recognition, deferred } = record.legs[0]!;
    const leg: Leg = legForAdded(callId, added, {
      zero,
      rtpTimeoutS,
      record: keep,
      ...(recognition === undefined ? {} : { recognition }),
      ...(deferred === undefined ? {} : { deferred }),
      ...(paused === true ? { paused } : {}),
    });
    let ports: readonly ChannelPorts[];
    try {
      ({ ports } = await this.#tools.placement.openOn(worker, leg));
    } catch (error) {
      this.#tools.log.warn({ err: error, callId }, 'further streams refused');
      const isNew = new Set(added.map(({ index }) => index));
      return { ...record, media: record.media.map((on) => (on !== null && isNew.has(on) ? null : on)) };
    }
    const news = added.map(({ index, media }): ChannelInfo => ({
      channel: channelIdOf(callId, index),
      index,
      role: 'unknown',
      label: media.label,
      codec: media.codecs[0]!.name,
      participant: { name: null, aor: null },
      evidence: [],
    }));
    return {
      ...record,
      legs: [...record.legs, { ...leg, ports }],
      ports: [...record.ports, ...ports],
      info: { ...record.info, channels: [...channels, ...news] },
    };
  }

  /**
   * Has the media worker take the legs as they are to be. On failure it has those that it took back as they were.
   * @param mustHear whether a worker that does not answer is a failure; the leg.sync after a break tells it what is on record
   * @throws EarshotError MEDIA_UNAVAILABLE when it was to be heard and was not; INTERNAL when it refuses
   */
  async tell(record: CallRecord, legs: readonly Leg[], mustHear = false): Promise<void> {
    const { placement } = this.#tools;
    const { worker } = record.info;
    const told: Leg[] = [];
    for (const [index, leg] of legs.entries()) {
      const before = record.legs[index]!;
      if (JSON.stringify(leg) === JSON.stringify(before)) continue;
      told.push(before);
      const result = await placement.update(worker, leg, mustHear);
      if (result.type === 'updated' && (result.heard || !mustHear)) continue;
      for (const earlier of told) void placement.update(worker, earlier);
      throw result.type === 'failed'
        ? new EarshotError('INTERNAL', result.message)
        : new EarshotError('MEDIA_UNAVAILABLE', 'the media worker of the call did not answer');
    }
  }
}
