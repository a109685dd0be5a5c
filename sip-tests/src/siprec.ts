import { randomBytes, randomUUID } from 'node:crypto';
import type { SipHeaders } from './sip-message.ts';

/** Who speaks on one of the two streams. */
export interface RecordedParty {
  /** `sip:ann@example.com` or `sip:+15550100@example.com`. */
  aor: string;
  name: string;
  /** Label of the m-line that carries this party's voice. */
  label: string;
}

export interface SiprecSession {
  sdp: string;
  /** Two parties: what one sends the other hears. */
  parties: [RecordedParty, RecordedParty];
  startedAt: Date;
  /** The contact centre's own id of the call; it becomes X-Call-ID. */
  callReference: string;
}

export interface SiprecInvite {
  contentType: string;
  body: string;
  headers: SipHeaders;
  contactParameters: string;
  /** The id of the communication session in Session-ID and metadata: 32 hexadecimal digits (RFC 7989). */
  sessionUuid: string;
}

/** RFC 7865 section 6.10: an id is a UUID in base64. */
function metadataId(): string {
  return randomBytes(16).toString('base64');
}

function escapeXml(text: string): string {
  return text.replace(/[<>&"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** Recording metadata of a session with two participants, complete (RFC 7865 sections 6 and 9). */
export function buildMetadata(session: SiprecSession, sessionUuid: string): string {
  const time = session.startedAt.toISOString();
  const sessionId = metadataId();
  const parties = session.parties.map((party) => ({
    ...party,
    participantId: metadataId(),
    streamId: metadataId(),
  }));
  const lines = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<recording xmlns="urn:ietf:params:xml:ns:recording:1">',
    '  <datamode>complete</datamode>',
    `  <session session_id="${sessionId}">`,
    `    <sipSessionID>${sessionUuid};remote=${'0'.repeat(32)}</sipSessionID>`,
    `    <start-time>${time}</start-time>`,
    '  </session>',
  ];
  for (const party of parties) {
    lines.push(
      `  <participant participant_id="${party.participantId}">`,
      `    <nameID aor="${escapeXml(party.aor)}">`,
      `      <name xml:lang="en">${escapeXml(party.name)}</name>`,
      '    </nameID>',
      '  </participant>',
    );
  }
  for (const party of parties) {
    lines.push(
      `  <stream stream_id="${party.streamId}" session_id="${sessionId}">`,
      `    <label>${escapeXml(party.label)}</label>`,
      '  </stream>',
    );
  }
  lines.push(
    `  <sessionrecordingassoc session_id="${sessionId}">`,
    `    <associate-time>${time}</associate-time>`,
    '  </sessionrecordingassoc>',
  );
  for (const party of parties) {
    lines.push(
      `  <participantsessionassoc participant_id="${party.participantId}" session_id="${sessionId}">`,
      `    <associate-time>${time}</associate-time>`,
      '  </participantsessionassoc>',
    );
  }
  for (const party of parties) {
    const heard = parties.find((other) => other !== party);
    lines.push(
      `  <participantstreamassoc participant_id="${party.participantId}">`,
      `    <send>${party.streamId}</send>`,
      ...(heard === undefined ? [] : [`    <recv>${heard.streamId}</recv>`]),
      '  </participantstreamassoc>',
    );
  }
  lines.push('</recording>', '');
  return lines.join('\r\n');
}

/** The INVITE with which a session recording client starts (RFC 7866 sections 6.1.1, 7.1 and 9.1). */
export function buildSiprecInvite(session: SiprecSession): SiprecInvite {
  const sessionUuid = randomUUID().replaceAll('-', '');
  const boundary = `recording-${randomBytes(8).toString('hex')}`;
  const body = [
    `--${boundary}`,
    'Content-Type: application/sdp',
    'Content-Disposition: session;handling=required',
    '',
    // The part keeps its own last line end; the one before the boundary belongs to the boundary.
    session.sdp,
    `--${boundary}`,
    'Content-Type: application/rs-metadata+xml',
    'Content-Disposition: recording-session',
    '',
    buildMetadata(session, sessionUuid),
    `--${boundary}--`,
    '',
  ].join('\r\n');
  return {
    contentType: `multipart/mixed;boundary=${boundary}`,
    body,
    headers: [
      ['Require', 'siprec'],
      ['Accept', 'application/sdp, application/rs-metadata'],
      ['Session-ID', `${sessionUuid};remote=${'0'.repeat(32)}`],
      ['X-Call-ID', session.callReference],
    ],
    contactParameters: ';+sip.src',
    sessionUuid,
  };
}
