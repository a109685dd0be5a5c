import { readFileSync } from 'node:fs';
import { EarshotError, type EngineRow } from '@earshot/contracts';
import { addressCheck, type Config, readSipUsers } from '@earshot/platform';
import { Admission, type Live } from '../admission/admission.ts';
import { Authenticator } from '../admission/authenticator.ts';
import type { SipRequest } from '../sip/request.ts';
import { notAdmitted, type Refusal, refusalFor, unauthenticated } from './refusal.ts';

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

  /** Host's engine table. */
  engines(rows: readonly EngineRow[]): void {
    this.#admission.engines(rows, performance.now());
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
   * @returns null: it may
   */
  invite(request: SipRequest, live: Live, mediaLate: boolean, isPart: () => boolean): Refusal | null {
    const nowMs = performance.now();
    const refused = this.#admission.rate(request.source.address, nowMs);
    if (refused !== null) return notAdmitted(refused);
    const authentication = this.#authenticator?.check(request.header('authorization'), 'INVITE', nowMs);
    if (authentication?.type === 'challenge') return unauthenticated(authentication);
    const noRoom = this.#admission.room(live, mediaLate, nowMs);
    return noRoom === null || isPart() ? null : notAdmitted(noRoom);
  }

  /** The refusal for an OPTIONS of a dispatcher while the node drains. */
  drained(live: Live): Refusal | null {
    const refused = this.draining ? this.#admission.room(live, false, performance.now()) : null;
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
