import { rejection, responseTo } from './sip-answers.ts';
import {
  cseqOf,
  header,
  headerValues,
  serializeSip,
  type SipHeaders,
  type SipRequest,
  type SipResponse,
  uriOf,
} from './sip-message.ts';
import { SipFailure } from './sip-transaction.ts';

/** What a dialog needs of the user agent that it belongs to. */
export interface DialogOwner {
  readonly userAgent: string;
  readonly t1Ms: number;
  transact(request: SipRequest, branch: string): Promise<SipResponse>;
  send(request: SipRequest): void;
  forget(dialog: SipDialog): void;
  newBranch(): string;
  via(branch: string): string;
  contact(parameters?: string): string;
}

/** How a dialog came to its end. `reason` is the Reason header of the other side's BYE (RFC 3326). */
export type DialogEnd =
  { by: 'us' } | { by: 'them'; reason: string | undefined } | { by: 'failure'; failure: SipFailure };

/** A confirmed INVITE dialog, seen from the side that called (RFC 3261 section 12). */
export class SipDialog {
  readonly callId: string;
  /** The last final answer to our INVITE: its body is the SDP answer. */
  answer: SipResponse;
  /** Settles once, whoever ends the dialog; never rejects. */
  readonly ended: Promise<DialogEnd>;
  readonly #owner: DialogOwner;
  readonly #invite: SipRequest;
  readonly #contactParameters: string;
  readonly #remoteTarget: string;
  readonly #routes: string[];
  readonly #to: string;
  #sequence = 1;
  #inviteSequence = 1;
  #localBody: { type: string; text: string };
  #over = false;
  #end!: (end: DialogEnd) => void;
  /** Our 2xx to their re-INVITE, sent until its ACK comes. */
  #answerTimer: NodeJS.Timeout | undefined;

  constructor(owner: DialogOwner, invite: SipRequest, answer: SipResponse, contactParameters = '') {
    this.#owner = owner;
    this.#invite = invite;
    this.#contactParameters = contactParameters;
    this.callId = header(invite, 'call-id') ?? '';
    this.answer = answer;
    this.#to = header(answer, 'to') ?? '';
    this.#remoteTarget = uriOf(header(answer, 'contact')) ?? invite.uri;
    this.#routes = headerValues(answer, 'record-route').reverse();
    this.#localBody = {
      type: header(invite, 'content-type') ?? 'application/sdp',
      text: Buffer.from(invite.body).toString('utf8'),
    };
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  get over(): boolean {
    return this.#over;
  }

  /** Sends the ACK for the last 2xx, again if that comes again. */
  acknowledge(): void {
    this.#owner.send(this.#request('ACK', this.#inviteSequence, this.#owner.newBranch()));
  }

  /** Offers anew: hold, a changed party, a session refresh. Rejects with the SipFailure of a refusal. */
  async reinvite(contentType: string, body: string, headers: SipHeaders = []): Promise<SipResponse> {
    const branch = this.#owner.newBranch();
    this.#sequence += 1;
    const sequence = this.#sequence;
    const request = this.#request('INVITE', sequence, branch, headers, { type: contentType, text: body });
    const response = await this.#owner.transact(request, branch);
    if (response.status >= 300) throw rejection(response);
    this.#inviteSequence = sequence;
    this.#localBody = { type: contentType, text: body };
    this.answer = response;
    this.acknowledge();
    return response;
  }

  /** Any other request in the dialog (UPDATE, INFO, OPTIONS); resolves with the answer whatever its status. */
  async request(
    method: string,
    headers: SipHeaders = [],
    body?: { type: string; text: string },
  ): Promise<SipResponse> {
    const branch = this.#owner.newBranch();
    this.#sequence += 1;
    return this.#owner.transact(this.#request(method, this.#sequence, branch, headers, body), branch);
  }

  /** Hangs up. The dialog is over whatever is answered; without an answer `ended` tells the failure. */
  async bye(headers: SipHeaders = []): Promise<DialogEnd> {
    if (this.#over) return this.ended;
    this.#over = true;
    try {
      await this.request('BYE', headers);
      this.#finish({ by: 'us' });
    } catch (error) {
      if (!(error instanceof SipFailure)) throw error;
      this.#finish({ by: 'failure', failure: error });
    }
    return this.ended;
  }

  /** Forgets the dialog without a word to the other side. */
  abandon(): void {
    this.#finish({ by: 'failure', failure: new SipFailure('closed', 'The caller was closed') });
  }

  /** Takes a request of the other side and answers it. */
  receive(request: SipRequest, reply: (bytes: Buffer) => void): void {
    const respond = (status: number, reason: string, headers: SipHeaders = [], body = '') => {
      const bytes = serializeSip(responseTo(request, status, reason, headers, body));
      reply(bytes);
      return bytes;
    };
    switch (request.method) {
      case 'ACK':
        clearTimeout(this.#answerTimer);
        return;
      case 'BYE':
        respond(200, 'OK');
        this.#finish({ by: 'them', reason: header(request, 'reason') });
        return;
      case 'INVITE':
        if (cseqOf(request) === undefined) {
          respond(400, 'Bad Request');
          return;
        }
        this.#answerReinvite(
          respond(
            200,
            'OK',
            [
              ['Contact', this.#owner.contact(this.#contactParameters)],
              ['Content-Type', this.#localBody.type],
            ],
            this.#localBody.text,
          ),
          reply,
        );
        return;
      case 'UPDATE':
      case 'OPTIONS':
      case 'INFO':
        respond(200, 'OK', [['Contact', this.#owner.contact(this.#contactParameters)]]);
        return;
      default:
        respond(405, 'Method Not Allowed', [['Allow', 'INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO']]);
    }
  }

  /** RFC 3261 section 13.3.1.4: a 2xx is repeated at T1, 2 T1 … 4 s until the ACK, for 64 T1. */
  #answerReinvite(bytes: Buffer, reply: (bytes: Buffer) => void): void {
    const { t1Ms } = this.#owner;
    const again = (intervalMs: number, leftMs: number) => {
      clearTimeout(this.#answerTimer);
      this.#answerTimer = setTimeout(() => {
        if (this.#over || leftMs <= 0) return;
        reply(bytes);
        again(Math.min(intervalMs * 2, 8 * t1Ms), leftMs - intervalMs);
      }, intervalMs);
      this.#answerTimer.unref();
    };
    again(t1Ms, 64 * t1Ms);
  }

  #finish(end: DialogEnd): void {
    this.#over = true;
    clearTimeout(this.#answerTimer);
    this.#owner.forget(this);
    this.#end(end);
  }

  #request(
    method: string,
    sequence: number,
    branch: string,
    headers: SipHeaders = [],
    body?: { type: string; text: string },
  ): SipRequest {
    return {
      kind: 'request',
      method,
      uri: this.#remoteTarget,
      headers: [
        ['Via', this.#owner.via(branch)],
        ['Max-Forwards', '70'],
        ...this.#routes.map((route): [string, string] => ['Route', route]),
        ['From', header(this.#invite, 'from') ?? ''],
        ['To', this.#to],
        ['Call-ID', this.callId],
        ['CSeq', `${sequence} ${method}`],
        ...(method === 'BYE' || method === 'ACK'
          ? []
          : [['Contact', this.#owner.contact(this.#contactParameters)] as [string, string]]),
        ['User-Agent', this.#owner.userAgent],
        ...headers,
        ...(body === undefined ? [] : [['Content-Type', body.type] as [string, string]]),
      ],
      body: Buffer.from(body?.text ?? '', 'utf8'),
    };
  }
}
