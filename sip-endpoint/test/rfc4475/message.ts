/** What is to become of a message: a final status, or nothing at all said. */
export type Outcome = number | 'silence';

/** One message of RFC 4475, as bytes, and what a recorder is to make of it. */
export interface TortureMessage {
  /** The file's name in the RFC. */
  readonly name: string;
  readonly section: string;
  readonly bytes: Buffer;
  readonly outcome: Outcome;
  /** Why, where more than one outcome would do. */
  readonly because?: string;
}

/** The SDP that most of the messages carry. */
export const sdp = (origin: string, connection = origin, time = '0'): string =>
  [
    'v=0',
    `o=mhandley 29739 7272939 IN IP4 ${origin}`,
    's=-',
    `c=IN IP4 ${connection}`,
    `t=${time} 0`,
    'm=audio 49217 RTP/AVP 0 12',
    'm=video 3227 RTP/AVP 31',
    'a=rtpmap:31 LPC',
    '',
  ].join('\r\n');

const utf8 = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

/** Lines of the header and the body; `LENGTH` in a line stands for the body's true length. Text is UTF-8. */
export function message(
  section: string,
  name: string,
  outcome: Outcome,
  lines: readonly string[],
  body: string | Buffer = '',
  because?: string,
): TortureMessage {
  const content = typeof body === 'string' ? Buffer.from(body, 'latin1') : body;
  const head = lines.map((line) => utf8(line).replace('LENGTH', String(content.length))).join('\r\n');
  const bytes = Buffer.concat([Buffer.from(`${head}\r\n\r\n`, 'latin1'), content]);
  return { section, name, outcome, bytes, ...(because !== undefined && { because }) };
}
