import fc from 'fast-check';
import { isEarshotError } from '@earshot/contracts';
import { describe, expect, it } from 'vitest';
import {
  dialectOf,
  externalIds,
  identify,
  mergeMetadata,
  parseMetadata,
  readBody,
  stitchOf,
  type RecordingMetadata,
} from '../src/dialects/index.ts';
import { ciscoForks } from './fixtures/cisco.ts';
import { cloudForks } from './fixtures/cloud.ts';
import type { Fork } from './fixtures/fork.ts';
import { sbcForks } from './fixtures/sbc.ts';
import { headersOf } from './support/headers.ts';

const forks = [...ciscoForks, ...sbcForks, ...cloudForks].filter(({ body }) => body !== '');

type Edit = readonly [kind: 'cut' | 'repeat' | 'insert' | 'swap', at: number, length: number, text: string];

/** Changes of a text at places told as parts of its length. */
function edited(text: string, edits: readonly Edit[]): string {
  return edits.reduce((before, [kind, at, length, more]) => {
    const from = Math.floor(at * before.length);
    const piece = before.slice(from, from + length);
    const head = before.slice(0, from);
    const tail = before.slice(from + length);
    if (kind === 'cut') return head + tail;
    if (kind === 'repeat') return head + piece + piece + tail;
    return kind === 'insert' ? head + more + piece + tail : tail + piece + head;
  }, text);
}

const edits = fc.array(
  fc.tuple(
    fc.constantFrom('cut' as const, 'repeat' as const, 'insert' as const, 'swap' as const),
    fc.double({ min: 0, max: 1, noNaN: true }),
    fc.nat(80),
    fc.oneof(
      fc.constantFrom('<', '>', '&', '"', '--', '\r\n\r\n', '</participant>', '<send>', ']]>', '\u0000'),
      fc.string(),
    ),
  ),
  { maxLength: 6 },
);

/** All that is done with the body of an INVITE. @returns what it says, or null where it is refused */
function through(fork: Fork, contentType: string | null, body: string): RecordingMetadata | null {
  const invite = headersOf({
    'content-type': contentType ?? '',
    from: body.slice(0, 300),
    contact: '<sip:a@b>;src',
  });
  try {
    const read = readBody(contentType, body);
    const metadata =
      read.kind === 'read' && read.metadataXml !== null ? parseMetadata(read.metadataXml) : null;
    const sdp = read.kind === 'read' ? read.sdp : null;
    const streams = ['1', 'x', null].map((label) => ({ label, codec: 'PCMU' as const }));
    for (const name of [fork.dialect, dialectOf({ invite, metadata, sdp }).name]) {
      const channels = identify(name, invite, streams, metadata, { numbers: ['1xxx'], domains: ['x.test'] });
      expect(channels).toHaveLength(3);
    }
    stitchOf(invite, metadata);
    externalIds(invite, metadata);
    return metadata;
  } catch (error) {
    if (!isEarshotError(error)) throw error;
    expect(['MULTIPART_MALFORMED', 'METADATA_MALFORMED']).toContain(error.code);
    return null;
  }
}

describe('a body of any device', () => {
  it('that is mutilated is read or refused, and never harms', () => {
    fc.assert(
      fc.property(fc.constantFrom(...forks), edits, (fork, changes) => {
        through(fork, fork.contentType, edited(fork.body, changes));
      }),
      { numRuns: 400 },
    );
  });

  it('under a Content-Type that is mutilated is read or refused, and never harms', () => {
    fc.assert(
      fc.property(fc.constantFrom(...forks), edits, (fork, changes) => {
        through(fork, edited(fork.contentType ?? '', changes), fork.body);
      }),
    );
  });

  it('gives metadata that survives the journal, and merges with any other’s within its bounds', () => {
    const metadata = fc
      .tuple(fc.constantFrom(...forks), edits)
      .map(([fork, changes]) => through(fork, fork.contentType, edited(fork.body, changes)));
    fc.assert(
      fc.property(fc.array(metadata, { maxLength: 4 }), fc.boolean(), (documents, partial) => {
        let known: RecordingMetadata | null = null;
        for (const document of documents) {
          if (document !== null) known = mergeMetadata(known, { ...document, partial });
        }
        expect(JSON.parse(JSON.stringify(known))).toEqual(known);
        expect(known?.participants.length ?? 0).toBeLessThanOrEqual(64);
        expect(known?.streams.length ?? 0).toBeLessThanOrEqual(64);
      }),
    );
  });

  it('is bounded however many participants come over the days', () => {
    let known: RecordingMetadata | null = null;
    for (let n = 0; n < 200; n++) {
      known = mergeMetadata(
        known,
        parseMetadata(
          `<recording><datamode>partial</datamode><participant participant_id="p${n}"><nameID aor="sip:${n}@x.test"/></participant></recording>`,
        ),
      );
    }
    expect(known?.participants).toHaveLength(64);
    expect(known?.participants.at(-1)?.aor).toBe('sip:199@x.test');
  });
});
