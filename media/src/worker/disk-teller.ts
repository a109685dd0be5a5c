import type { ChannelId } from '@earshot/contracts';
import type { Channel } from '../leg/channel.ts';
import { DiskWatch } from '../spool/disk-watch.ts';
import type { MediaLeg } from './media-leg.ts';

/** @returns false when there is nobody to tell */
type Say = (channel: ChannelId, state: 'low' | 'full' | 'writable', tick: number) => boolean;

interface Watched {
  readonly watch: DiskWatch;
  /** The link on which it was last told of. */
  link: number;
}

/** Tells transcripts of each call whose audio the disk does not keep, or not wholly. */
export class DiskTeller {
  readonly #say: Say;
  /** Counts the links. */
  #link = 0;
  /** Legs that are not recorded, by the link on which that was told. */
  readonly #lowTold = new WeakMap<MediaLeg, number>();
  readonly #watched = new WeakMap<Channel, Watched>();

  constructor(say: Say) {
    this.#say = say;
  }

  /** Transcripts is there, or another one in its place: it may not have written what was told. */
  connected(): void {
    this.#link++;
  }

  /** Once a second for each leg. */
  look(leg: MediaLeg, nowUs: number): void {
    this.#tellLow(leg);
    for (const channel of leg.channels) {
      const { writer } = channel;
      const watch = this.#watchOf(channel, leg);
      if (!watch.changed(writer, nowUs)) continue;
      const tick = watch.full ? watch.sinceTick : writer.writtenTick;
      if (this.#say(channel.id, watch.full ? 'full' : 'writable', tick)) watch.told();
    }
  }

  #tellLow(leg: MediaLeg): void {
    const [first] = leg.channels;
    if (!leg.diskLow || first === undefined || this.#lowTold.get(leg) === this.#link) return;
    if (this.#say(first.id, 'low', 0)) this.#lowTold.set(leg, this.#link);
  }

  #watchOf(channel: Channel, leg: MediaLeg): DiskWatch {
    let watched = this.#watched.get(channel);
    if (watched === undefined) {
      // Whoever had the leg before may have told of it.
      watched = { watch: new DiskWatch(leg.inherited ? null : false), link: this.#link };
      this.#watched.set(channel, watched);
    }
    if (watched.link !== this.#link) watched.watch.tellAgain();
    watched.link = this.#link;
    return watched.watch;
  }
}
