import { type G711Codec, payloadType } from './audio.ts';

/** One audio stream as we offer it. */
export interface OfferedStream {
  port: number;
  /** Ties the stream to the recording metadata (RFC 4574). */
  label?: string;
  /** Where our sender reports come from, when it is not the next port (RFC 3605). */
  rtcpPort?: number;
}

/** One audio stream as it was answered. A port of 0 is a stream that was refused. */
export interface AnsweredStream {
  address: string;
  port: number;
  /** RTCP goes here: a=rtcp, or the next port, or with a=rtcp-mux the same one. */
  rtcpPort: number;
  payloadTypes: number[];
  direction: string;
  label: string | undefined;
}

const rtpmap = [
  'a=rtpmap:0 PCMU/8000',
  'a=rtpmap:8 PCMA/8000',
  'a=rtpmap:101 telephone-event/8000',
  'a=fmtp:101 0-15',
];

/** An offer of one m-line for each stream, both G.711 laws in it, the one we want to send first. */
export function buildOffer(
  address: string,
  streams: OfferedStream[],
  codec: G711Codec,
  direction: 'sendonly' | 'sendrecv' | 'inactive',
  version = 1,
): string {
  const family = address.includes(':') ? 'IP6' : 'IP4';
  const payloads = codec === 'pcmu' ? '0 8 101' : '8 0 101';
  const media = streams.flatMap((stream) => [
    `m=audio ${stream.port} RTP/AVP ${payloads}`,
    ...(stream.rtcpPort === undefined ? [] : [`a=rtcp:${stream.rtcpPort}`]),
    ...rtpmap,
    'a=ptime:20',
    ...(stream.label === undefined ? [] : [`a=label:${stream.label}`]),
    `a=${direction}`,
  ]);
  return [
    'v=0',
    `o=caller ${streams[0]?.port ?? 0} ${version} IN ${family} ${address}`,
    's=-',
    `c=IN ${family} ${address}`,
    't=0 0',
    ...media,
    '',
  ].join('\r\n');
}

/** The audio m-lines of an answer in their order; undefined when it is not SDP. */
export function parseAnswer(text: string): AnsweredStream[] | undefined {
  const lines = text.split(/\r?\n/);
  if (!lines[0]?.startsWith('v=')) return undefined;
  const streams: AnsweredStream[] = [];
  let sessionAddress = '';
  let sessionDirection = 'sendrecv';
  let current: AnsweredStream | undefined;
  for (const line of lines) {
    const value = line.slice(2);
    if (line.startsWith('m=')) {
      const [kind, port, , ...payloads] = value.split(' ');
      const portNumber = Number.parseInt(port ?? '', 10);
      if (!Number.isInteger(portNumber) || portNumber < 0 || portNumber > 65_535) return undefined;
      current = {
        address: sessionAddress,
        port: portNumber,
        rtcpPort: portNumber + 1,
        payloadTypes: payloads.map(Number).filter(Number.isInteger),
        direction: sessionDirection,
        label: undefined,
      };
      if (kind === 'audio') streams.push(current);
    } else if (line.startsWith('c=')) {
      const address = value.split(' ')[2]?.split('/')[0] ?? '';
      if (current === undefined) sessionAddress = address;
      else current.address = address;
    } else if (/^a=(sendrecv|sendonly|recvonly|inactive)$/.test(line)) {
      if (current === undefined) sessionDirection = value;
      else current.direction = value;
    } else if (line.startsWith('a=label:') && current !== undefined) {
      current.label = line.slice('a=label:'.length);
    } else if (line === 'a=rtcp-mux' && current !== undefined) {
      current.rtcpPort = current.port;
    } else if (line.startsWith('a=rtcp:') && current !== undefined) {
      current.rtcpPort = Number.parseInt(line.slice('a=rtcp:'.length), 10) || current.rtcpPort;
    }
  }
  return streams;
}

/** The codec that an answered stream takes of the two that we can send, ours first. */
export function chosenCodec(stream: AnsweredStream, wanted: G711Codec): G711Codec | undefined {
  if (stream.payloadTypes.includes(payloadType[wanted])) return wanted;
  const other = wanted === 'pcmu' ? 'pcma' : 'pcmu';
  return stream.payloadTypes.includes(payloadType[other]) ? other : undefined;
}
