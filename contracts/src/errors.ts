/**
 * The error catalogue: every code that leaves a process, with the HTTP status where REST shows it and what the user
 * can do. Codes are stable: outsiders depend on them. docs/errors.md is generated from this.
 */
export const catalogue = {
  // settings and start
  CONFIG_INVALID: {
    status: 500,
    title: 'A setting is wrong',
    action: 'Correct the environment variables that are named and start again.',
  },
  PORT_IN_USE: {
    status: 500,
    title: 'A port is in use',
    action:
      'Stop the program that has the port, or choose another (HTTP_PORT, SIP_PORT, RTP_PORT_MIN/RTP_PORT_MAX).',
  },
  DATA_DIR_IN_USE: {
    status: 500,
    title: 'Another Earshot is using DATA_DIR',
    action: 'Stop the other Earshot, or set another DATA_DIR.',
  },
  DATABASE_UNREACHABLE: {
    status: 503,
    title: 'The database cannot be reached',
    action: 'Check DATABASE_URL and that PostgreSQL is running; unset DATABASE_URL to use the embedded one.',
  },
  DATABASE_START_FAILED: {
    status: 500,
    title: 'The embedded PostgreSQL did not start',
    action: 'Read DATA_DIR/postgres.log; set DATABASE_URL to use a server of your own.',
  },
  REDIS_UNREACHABLE: {
    status: 503,
    title: 'Redis cannot be reached',
    action: 'Check REDIS_URL and that Redis is running; unset REDIS_URL to keep jobs in PostgreSQL.',
  },
  DATA_DIR_UNUSABLE: {
    status: 500,
    title: 'DATA_DIR cannot be used',
    action: 'Make the folder writable for this user, or set DATA_DIR to another one.',
  },
  MODEL_MISSING: {
    status: 500,
    title: 'The recognition model is missing',
    action:
      'Name a model folder in ASR_MODEL or with `npm run model -- use`, or unset ASR_MODEL to use the shipped model (docs/models.md).',
  },
  MODEL_INVALID: {
    status: 500,
    title: 'The recognition model cannot be used',
    action:
      'The message names the tensor, file or setting at fault; compare the folder with docs/models.md, or try `npm run model -- check FOLDER`.',
  },
  MODEL_UNKNOWN: {
    status: 404,
    title: 'No model has this name',
    action: 'List the names with npm run model -- list, or give a URL, an archive or a folder.',
  },
  MODEL_DOWNLOAD_FAILED: {
    status: 502,
    title: 'The model could not be downloaded',
    action: 'Try again: what has arrived is kept, and the download goes on from there.',
  },
  MODEL_CHANGED: {
    status: 409,
    title: 'The file at this address is not the one that was downloaded before',
    action:
      'Ask its publisher why. If it is right, accept the new one: npm run model -- add … --accept-change.',
  },
  MODEL_ARCHIVE_INVALID: {
    status: 400,
    title: 'The archive cannot be unpacked',
    action: 'Give a .tar.bz2, .tar.gz or .tar with plain files, or a folder.',
  },
  MODEL_IN_USE: {
    status: 409,
    title: 'The model is in use',
    action: 'Choose another one first: npm run model -- use NAME, or shadow off.',
  },
  DISK_FULL: {
    status: 507,
    title: 'The disk is full',
    action: 'Make room where DATA_DIR is and try again; what has arrived is kept.',
  },
  DRACHTIO_UNREACHABLE: {
    status: 503,
    title: 'drachtio-server cannot be reached',
    action:
      'Check DRACHTIO_HOST, DRACHTIO_PORT and DRACHTIO_SECRET; unset DRACHTIO_HOST to use the embedded endpoint.',
  },
  // SIP and media
  RTP_PORTS_EXHAUSTED: {
    status: 503,
    title: 'No RTP port is free',
    action: 'Widen RTP_PORT_MIN/RTP_PORT_MAX, or lower MAX_CALLS.',
  },
  MEDIA_UNAVAILABLE: {
    status: 503,
    title: 'No media worker can take the call',
    action: 'Wait for the worker to be replaced; see the log if it lasts.',
  },
  SDP_MALFORMED: {
    status: 400,
    title: 'The SDP cannot be parsed',
    action: 'Compare the body with RFC 8866; the message names the line.',
  },
  SDP_NO_AUDIO: {
    status: 488,
    title: 'The offer has no audio stream',
    action: 'Offer at least one m=audio line.',
  },
  CODEC_UNSUPPORTED: {
    status: 488,
    title: 'None of the offered codecs is supported',
    action: 'Offer PCMU, PCMA, G722, opus or L16 by RTP/AVP, or RTP/SAVP with a=crypto (SDES).',
  },
  MULTIPART_MALFORMED: {
    status: 400,
    title: 'The multipart body cannot be parsed',
    action: 'Compare the body with RFC 2046 section 5.1; the message names the fault.',
  },
  METADATA_MALFORMED: {
    status: 400,
    title: 'The recording metadata cannot be parsed',
    action: 'Compare the XML with RFC 7865; DTDs and entities are refused.',
  },
  SOURCE_FORBIDDEN: {
    status: 403,
    title: 'The source address is not allowed',
    action: 'Add the address to SIP_ALLOW.',
  },
  // REST
  UNAUTHENTICATED: {
    status: 401,
    title: 'A key is needed',
    action: 'Send Authorization: Bearer KEY; the key is in DATA_DIR/api-key.',
  },
  FORBIDDEN_ORIGIN: {
    status: 403,
    title: 'The request comes from another site',
    action: 'Open the dashboard from its own address, or set PUBLIC_URL to the address it is reached by.',
  },
  NOT_FOUND: { status: 404, title: 'Not found', action: 'Check the path and the id.' },
  CALL_NOT_FOUND: { status: 404, title: 'No such call', action: 'List the calls with GET /v1/calls.' },
  CHANNEL_NOT_FOUND: {
    status: 404,
    title: 'The call has no such channel',
    action: 'Take the index of one of `channels` in GET /v1/calls/:id.',
  },
  RECORDING_NOT_READY: {
    status: 404,
    title: 'There is no recording (yet)',
    action: 'Recordings are made within seconds after the call ends; with RECORD=off there are none.',
  },
  CALL_NOT_LIVE: {
    status: 409,
    title: 'The call is not live',
    action: 'Ask while the call goes on; GET /v1/calls?state=live lists those that do.',
  },
  CALL_NOT_COMPLETE: {
    status: 409,
    title: 'The transcript of the call is not complete',
    action: 'Wait for the event transcript.completed, then ask again.',
  },
  RECORDING_MISSING: {
    status: 409,
    title: 'The call has no recording',
    action:
      'Recordings are made within seconds after the call ends; with RECORD=off there are none, and nothing can be recognised again.',
  },
  LEDGER_NOT_FOUND: {
    status: 404,
    title: 'The call has no ledger',
    action:
      'Calls from before ledgers were kept have none; GET /v1/calls/:id has the packets received and lost.',
  },
  REVISION_NOT_FOUND: {
    status: 404,
    title: 'No such revision of the transcript',
    action: 'previousRevision and revision in GET /v1/calls/:id/retranscriptions name those that are kept.',
  },
  RETRANSCRIPTION_NOT_FOUND: {
    status: 404,
    title: 'No such retranscription',
    action: 'List them with GET /v1/calls/:id/retranscriptions.',
  },
  RETRANSCRIPTION_IN_PROGRESS: {
    status: 409,
    title: 'The recording of the call is being recognised again already',
    action:
      'Wait until the retranscription that the message names is done or failed (GET /v1/calls/:id/retranscriptions), then ask again.',
  },
  MODEL_NOT_FOUND: {
    status: 404,
    title: 'No such model is installed',
    action: 'List the installed models with npm run model -- list; leave model out to use the serving one.',
  },
  RETRANSCRIPTION_FAILED: {
    status: 500,
    title: 'The recording could not be recognised again',
    action: 'Look for the id of the retranscription in the log of post-call; ask again.',
  },
  VOCABULARY_NOT_FOUND: {
    status: 404,
    title: 'No such vocabulary list',
    action: 'List them with GET /v1/vocabulary.',
  },
  VOCABULARY_LIMIT: {
    status: 409,
    title: 'There are too many vocabulary lists or phrases',
    action: 'Remove lists that no call names: 100 lists and 25,000 phrases in all are kept.',
  },
  WEBHOOK_NOT_FOUND: {
    status: 404,
    title: 'No such webhook',
    action: 'List the webhooks with GET /v1/webhooks.',
  },
  WEBHOOK_URL_FORBIDDEN: {
    status: 400,
    title: 'The webhook address is not allowed',
    action:
      'Use https to a public address; http and https to loopback are allowed while HTTP_BIND (else BIND) is loopback.',
  },
  REQUEST_INVALID: {
    status: 400,
    title: 'The request is not valid',
    action: 'Compare it with /openapi.json; errors[] names the fields.',
  },
  RATE_LIMITED: { status: 429, title: 'Too many requests', action: 'Wait as Retry-After says.' },
  NOT_READY: { status: 503, title: 'Earshot is not ready', action: 'Wait; /readyz names what is missing.' },
  INTERNAL: {
    status: 500,
    title: 'Something went wrong on our side',
    action: 'Look for the request id in the log.',
  },
} as const satisfies Record<
  string,
  { readonly status: number; readonly title: string; readonly action: string }
>;

export type ErrorCode = keyof typeof catalogue;

/** An error that says its code, and by the catalogue what to do about it. `message` has the particulars. */
export class EarshotError extends Error {
  readonly code: ErrorCode;
  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'EarshotError';
    this.code = code;
  }
  get status(): number {
    return catalogue[this.code].status;
  }
  get title(): string {
    return catalogue[this.code].title;
  }
  get action(): string {
    return catalogue[this.code].action;
  }
}

export const isEarshotError = (value: unknown): value is EarshotError => value instanceof EarshotError;
