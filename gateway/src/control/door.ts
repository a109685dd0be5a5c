import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { EarshotError, type EngineRow } from '@earshot/contracts';
import { addressCheck, type Config, readSipUsers } from '@earshot/platform';
import { Admission, type Live, type MediaState } from '../admission/admission.ts';
import { Authenticator } from '../admission/authenticator.ts';
import type { SipRequest } from '../sip/request.ts';
import { notAdmitted, type Refusal, refusalFor, unauthenticated } from './refusal.ts';

/** Whether an INVITE comes in, and whether its call is recorded first and recognised later. */
export type Entry =
  | { readonly type: 'taken'; readonly deferred: boolean }
  | { readonly type: 'refused'; readonly refusal: Refusal };

/** What stands before a new call: networks, rates, passwords, room. */
export class Door {
  readonly #allowed: (address: string) => boolean;
  readonly #admission: Admission;
  readonly #authenticator: Authenticator | null;

  /** @throws EarshotError CONFIG_INVALID when SIP_USERS_FILE cannot be read */
  constructor(config: Config) {
    this.#allowed = addressCheck(config.sipAllow);
    this.#admission = new Admission(
      {
        maxCalls: config.maxCalls,
        rate: config.sipRate,
        // A channel takes a port for RTP and one for RTCP.
        portChannels: Math.floor((config.rtpPortMax - config.rtpPortMin + 1) / 2),
        servingEngines: config.asrEngines,
        cores: availableParallelism(),
        // Without recordings no audio is to outlive its call, unless somebody says of how many calls it may.
        recordFirstCalls: config.recordFirstCalls ?? (config.record ? null : 0),
        ignoreRecognition: !config.admitMeasured,
        chance: Math.random,
      },
      performance.now(),
    );
    const users = [...config.sipUsers, ...fromFile(config.sipUsersFile)];
    this.#authenticator = users.length > 0 ? new Authenticator(users) : null;
  }

  get draining(): boolean {
    return this.#admission.draining;
  }

  set draining(on: boolean) {
    this.#admission.draining = on;
  }

  /** Host's engine table. @param catchingUp engines are busy with calls that were recorded first */
  engines(rows: readonly EngineRow[], catchingUp: boolean): void {
    this.#admission.engines(rows, performance.now(), catchingUp);
  }

  /** A call ended. */
  left(): void {
    this.#admission.left(performance.now());
  }

  /** @returns null: the source may send SIP */
  source({ source }: SipRequest): Refusal | null {
    if (this.#allowed(source.address)) return null;
    return refusalFor(new EarshotError('SOURCE_FORBIDDEN', 'not in SIP_ALLOW'));
  }

  /**
   * Whether an INVITE may begin a call.
   * @param isPart whether it goes on with a call that was admitted, which asks for no room
   */
  invite(request: SipRequest, live: Live, media: MediaState, isPart: () => boolean): Entry {
    const nowMs = performance.now();
    const refused = this.#admission.rate(request.source.address, nowMs);
    if (refused !== null) return { type: 'refused', refusal: notAdmitted(refused) };
    const authentication = this.#authenticator?.check(request.header('authorization'), 'INVITE', nowMs);
    if (authentication?.type === 'challenge')
      return { type: 'refused', refusal: unauthenticated(authentication) };
    const room = this.#admission.room(live, media, nowMs);
    if (room === 'taken' || isPart()) return { type: 'taken', deferred: false };
    return room === 'recorded-first'
      ? { type: 'taken', deferred: true }
      : { type: 'refused', refusal: notAdmitted(room) };
  }

  /** The refusal for an OPTIONS of a dispatcher while the node drains. */
  get drained(): Refusal | null {
    const refused = this.#admission.drained;
    return refused === null ? null : notAdmitted(refused);
  }

  /** Calls like the live ones that the node carries; null while nobody knows. */
  capacity(live: Live): number | null {
    return this.#admission.capacity(live);
  }

  /** Free share of the engines that serve, 0..1; null while nobody knows. */
  get headroom(): number | null {
    return this.#admission.headroom;
  }

  /**
   * X-Earshot-Load of an answer to OPTIONS, for a dispatcher that spreads calls by load: parameters in the form of other SIP
   * headers. What is not known is left out.
   */
  load(live: Live): string {
    const capacity = this.capacity(live);
    return [
      `calls=${live.calls}`,
      ...(capacity === null ? [] : [`capacity=${capacity}`]),
      ...(this.headroom === null ? [] : [`headroom=${this.headroom.toFixed(2)}`]),
    ].join(';');
  }
}

function fromFile(path: string | null): ReturnType<typeof readSipUsers> {
  if (path === null) return [];
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new EarshotError('CONFIG_INVALID', `SIP_USERS_FILE cannot be read: ${code ?? 'unknown'}`, {
      cause: error,
    });
  }
  const faults: string[] = [];
  const users = readSipUsers('SIP_USERS_FILE', text.split(/\r?\n/), faults);
  // A file without users would leave the door open.
  if (users.length === 0 && faults.length === 0) faults.push('SIP_USERS_FILE: it names no user');
  if (faults.length > 0) throw new EarshotError('CONFIG_INVALID', faults.join('; '));
  return users;
}
