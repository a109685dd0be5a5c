/** Bodies of our own making, in the shapes that devices send (see the tests for which). */
export const crlf = (lines: readonly string[]): string => `${lines.join('\r\n')}\r\n`;

export interface StreamShape {
  readonly port?: number;
  readonly label?: string | null;
  readonly direction?: string | null;
  readonly formats?: string;
  readonly rtpmaps?: readonly string[];
}

export function sdpOf(streams: readonly StreamShape[], version = 1, address = '127.0.0.1'): string {
  return crlf([
    'v=0',
    `o=src 4411 ${version} IN IP4 ${address}`,
    's=-',
    `c=IN IP4 ${address}`,
    't=0 0',
    ...streams.flatMap((stream, index) => [
      `m=audio ${stream.port ?? 30_000 + index * 2} RTP/AVP ${stream.formats ?? '0 8'}`,
      ...(stream.rtpmaps ?? []).map((map) => `a=rtpmap:${map}`),
      ...(stream.direction === null ? [] : [`a=${stream.direction ?? 'sendonly'}`]),
      ...(stream.label === null ? [] : [`a=label:${stream.label ?? index + 1}`]),
    ]),
  ]);
}

/** RFC 7865 as the standard writes it: Asha (the agent) sends stream 1, Bram stream 2. */
export const rfcMetadata = crlf([
  '<?xml version="1.0" encoding="UTF-8"?>',
  '<recording xmlns="urn:ietf:params:xml:ns:recording:1">',
  '  <datamode>complete</datamode>',
  '  <group group_id="7+OTCyoxTmqmqyA/1weDAg=="><associate-time>2024-05-01T09:00:00Z</associate-time></group>',
  '  <session session_id="hVpd7YQgRW2nD22h7q60JQ==">',
  '    <sipSessionID>ab30317f1a784dc48ff824d0d3715d86;remote=47755a9de7794ba387653f2099600ef2</sipSessionID>',
  '    <group-ref>7+OTCyoxTmqmqyA/1weDAg==</group-ref>',
  '  </session>',
  '',
  '  <participant participant_id="srfBElmCRp2QB23b7Mpk0w==">',
  '    <nameID aor="sip:agent12@example.test"><name xml:lang="en">Asha</name></nameID>',
  '  </participant>',
  '  <participant participant_id="zSfPoSvdSDCmU3A3TRDxAw==">',
  '    <nameID aor="sip:+4920155501@example.test"><name>Bram</name></nameID>',
  '  </participant>',
  '  <stream stream_id="UAAMm5GRQKSCMVvLyl4rFw==" session_id="hVpd7YQgRW2nD22h7q60JQ=="><label>1</label></stream>',
  '  <stream stream_id="i1Pz3to5hGk8fuXl+PbwCw==" session_id="hVpd7YQgRW2nD22h7q60JQ=="><label>2</label></stream>',
  '  <participantstreamassoc participant_id="srfBElmCRp2QB23b7Mpk0w==">',
  '    <send>UAAMm5GRQKSCMVvLyl4rFw==</send>',
  '    <recv>i1Pz3to5hGk8fuXl+PbwCw==</recv>',
  '  </participantstreamassoc>',
  '  <participantstreamassoc participant_id="zSfPoSvdSDCmU3A3TRDxAw==">',
  '    <send>i1Pz3to5hGk8fuXl+PbwCw==</send>',
  '    <recv>UAAMm5GRQKSCMVvLyl4rFw==</recv>',
  '  </participantstreamassoc>',
  '</recording>',
]);

export const BOUNDARY = 'earshot-boundary';
export const MULTIPART = `multipart/mixed;boundary=${BOUNDARY}`;

export const multipartOf = (parts: readonly (readonly [type: string, content: string])[]): string =>
  parts.map(([type, content]) => `--${BOUNDARY}\r\nContent-Type: ${type}\r\n\r\n${content}\r\n`).join('') +
  `--${BOUNDARY}--\r\n`;

export const siprecBody = (sdp: string, metadata = rfcMetadata): string =>
  multipartOf([
    ['application/sdp', sdp],
    ['application/rs-metadata+xml', metadata],
  ]);

export const siprecInvite = {
  body: siprecBody(sdpOf([{}, {}])),
  contentType: MULTIPART,
  headers: [
    'Require: siprec',
    'Session-ID: 0123456789abcdef0123456789abcdef;remote=00000000000000000000000000000000',
  ],
};
