/**
 * What RFC 3264 demands of an answer, checked on the text of both descriptions and with nothing of the gateway's.
 */
interface Section {
  readonly kind: string;
  readonly port: number;
  readonly protocol: string;
  readonly formats: readonly string[];
  readonly attributes: readonly string[];
  /** Of the section's c=, else of the session's. */
  readonly connection: string | undefined;
}

export interface Session {
  readonly origin: readonly string[];
  readonly timing: string | undefined;
  readonly attributes: readonly string[];
  readonly media: readonly Section[];
}

export function readSession(sdp: string): Session {
  const [head = [], ...sections] = split(sdp.split(/\r?\n/).filter((line) => line !== ''));
  const value = (lines: readonly string[], type: string): string | undefined =>
    lines.find((line) => line.startsWith(`${type}=`))?.slice(2);
  const attributesOf = (lines: readonly string[]): string[] =>
    lines.filter((line) => line.startsWith('a=')).map((line) => line.slice(2).trim());
  return {
    origin: (value(head, 'o') ?? '').split(' '),
    timing: value(head, 't'),
    attributes: attributesOf(head),
    media: sections.map((lines) => {
      const [kind = '', port = '', protocol = '', ...formats] = (value(lines, 'm') ?? '').split(' ');
      return {
        kind,
        port: Number(port.split('/')[0]),
        protocol,
        formats,
        attributes: attributesOf(lines),
        connection: value(lines, 'c') ?? value(head, 'c'),
      };
    }),
  };
}

function split(lines: readonly string[]): string[][] {
  const parts: string[][] = [[]];
  for (const line of lines) {
    if (line.startsWith('m=')) parts.push([]);
    parts.at(-1)!.push(line);
  }
  return parts;
}

const DIRECTIONS = ['sendrecv', 'sendonly', 'recvonly', 'inactive'];
const valuesOf = (section: Section, name: string): string[] =>
  section.attributes.filter((line) => line.startsWith(`${name}:`)).map((line) => line.slice(name.length + 1));
const directionOf = (section: Section, session: Session): string =>
  section.attributes.find((line) => DIRECTIONS.includes(line)) ??
  session.attributes.find((line) => DIRECTIONS.includes(line)) ??
  'sendrecv';
const encodingOf = (section: Section, format: string): string | undefined =>
  valuesOf(section, 'rtpmap')
    .find((line) => line.split(' ')[0] === format)
    ?.split(' ')[1]
    ?.toLowerCase();

/** What an answerer may say to each direction (section 6.1). */
const ANSWERS: Readonly<Record<string, readonly string[]>> = {
  sendonly: ['recvonly', 'inactive'],
  recvonly: ['sendonly', 'inactive'],
  sendrecv: DIRECTIONS,
  inactive: ['inactive'],
};

/** @returns what is wrong with the answer to an offer, empty when nothing is */
export function faultsOf(offerSdp: string, answerSdp: string): string[] {
  const offer = readSession(offerSdp);
  const answer = readSession(answerSdp);
  const faults: string[] = [];
  const demand = (holds: boolean, fault: string): void => {
    if (!holds) faults.push(fault);
  };
  demand(answerSdp.endsWith('\r\n') && !/[^\r]\n/.test(answerSdp), 'a line does not end in CRLF');
  demand(answer.origin.length === 6, 'o= has not six fields');
  demand(offer.timing === undefined || answer.timing === offer.timing, 't= differs');
  demand(answer.media.length === offer.media.length, 'another number of m-lines');
  demand(!answer.attributes.some((line) => line.startsWith('group')), 'groups streams that are not');
  for (const [line, offered] of offer.media.entries()) {
    const answered = answer.media[line];
    if (answered === undefined) break;
    for (const fault of faultsOfMedia(offer, offered, answer, answered))
      faults.push(`m-line ${line + 1}: ${fault}`);
  }
  return faults;
}

function faultsOfMedia(offer: Session, offered: Section, answer: Session, answered: Section): string[] {
  const faults: string[] = [];
  const demand = (holds: boolean, fault: string): void => {
    if (!holds) faults.push(fault);
  };
  demand(answered.kind === offered.kind, 'another kind of media');
  demand(answered.protocol === offered.protocol, 'another transport');
  demand(answered.formats.length > 0, 'no format');
  demand(
    answered.formats.every((format) => offered.formats.includes(format)),
    'a format that was not offered',
  );
  demand(new Set(answered.formats).size === answered.formats.length, 'a format twice');
  demand(offered.port !== 0 || answered.port === 0, 'a stream that was off is on');
  demand(
    valuesOf(answered, 'label').join() === valuesOf(offered, 'label').join(),
    'the label is not repeated',
  );
  if (answered.port === 0) return faults;
  demand(/^IN IP[46] \S+$/.test(answered.connection ?? ''), 'no c=');
  for (const format of answered.formats) {
    const before = encodingOf(offered, format);
    const after = encodingOf(answered, format);
    demand(
      before === undefined || after?.split('/')[0] === before.split('/')[0],
      `format ${format} is another codec`,
    );
    demand(Number(format) < 96 || after !== undefined, `dynamic format ${format} has no rtpmap`);
  }
  const direction = directionOf(answered, answer);
  const allowed = ANSWERS[directionOf(offered, offer)]!;
  demand(allowed.includes(direction), `${direction} to ${directionOf(offered, offer)}`);
  demand(answered.attributes.filter((each) => DIRECTIONS.includes(each)).length <= 1, 'two directions');
  for (const name of ['rtcp-mux', 'rtcp-rsize']) {
    const offers = offered.attributes.includes(name) || offered.attributes.includes(`${name}-only`);
    demand(offers || !answered.attributes.includes(name), `${name} was not offered`);
  }
  demand(
    valuesOf(answered, 'mid').length === 0 ||
      offered.attributes.includes(`mid:${valuesOf(answered, 'mid')[0]}`),
    'mid',
  );
  const most = Number(valuesOf(offered, 'maxptime')[0] ?? Infinity);
  demand(Number(valuesOf(answered, 'ptime')[0] ?? 20) <= most, 'packets longer than the offerer makes');
  faults.push(...faultsOfKeys(offered, answered));
  return faults;
}

/** RFC 4568 section 5.1.2. */
function faultsOfKeys(offered: Section, answered: Section): string[] {
  const keys = valuesOf(answered, 'crypto').map((line) => line.split(' '));
  if (!answered.protocol.startsWith('RTP/SAVP')) return keys.length === 0 ? [] : ['keys for a plain stream'];
  if (keys.length !== 1) return [`${keys.length} crypto lines`];
  const [tag, suite, key] = keys[0]!;
  const chosen = valuesOf(offered, 'crypto').find((line) => line.startsWith(`${tag} ${suite} `));
  if (chosen === undefined) return ['a tag and suite that were not offered'];
  return chosen.includes(key!.slice('inline:'.length)) ? ['the key of the offerer'] : [];
}
