import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isEarshotError } from '@earshot/contracts';
import { parseContentType } from '../src/dialects/content-type.ts';
import { parseMetadata, readBody } from '../src/dialects/index.ts';
import { parseMultipart } from '../src/dialects/multipart.ts';

const parts = (contentType: string, body: string): [string, string][] =>
  parseMultipart(parseContentType(contentType)!, body).map((part) => [part.contentType.type, part.content]);

const two = (open: string, newline = '\r\n'): string =>
  [
    open,
    'Content-Type: application/sdp',
    '',
    'v=0',
    '',
    open,
    'Content-Type: application/rs-metadata+xml',
    'Content-Disposition: recording-session',
    '',
    '<a/>',
    '',
    '<!-- after a blank line -->',
    `${open}--`,
    '',
  ].join(newline);

describe('a multipart body', () => {
  it.each([
    ['unquoted', 'multipart/mixed;boundary=OSS-unique-boundary-42', '--OSS-unique-boundary-42'],
    ['quoted', 'multipart/mixed; boundary="a b:c"', '--a b:c'],
    ['not the last parameter', 'multipart/mixed;boundary=xyz;charset=utf-8', '--xyz'],
    ['after another parameter, with spaces', 'multipart/mixed ; type="a;b" ; boundary = xyz ', '--xyz'],
    ['beginning with dashes (Twilio)', 'multipart/mixed;boundary=--Tw1lio-9', '----Tw1lio-9'],
    ['in upper case names', 'Multipart/Mixed;BOUNDARY=xyz', '--xyz'],
    ['with spaces after the delimiter', 'multipart/mixed;boundary=xyz', '--xyz  '],
  ])('is cut at a boundary that is %s', (_what, contentType, open) => {
    const body = two(open).replaceAll(`${open}--`, `${open.trimEnd()}--`);
    for (const text of [body, body.replaceAll('\r\n', '\n')]) {
      const newline = text.includes('\r\n') ? '\r\n' : '\n';
      expect(parts(contentType, text)).toEqual([
        ['application/sdp', `v=0${newline}`],
        ['application/rs-metadata+xml', ['<a/>', '', '<!-- after a blank line -->'].join(newline)],
      ]);
    }
  });

  it('may have a preamble and an epilogue, which belong to no part', () => {
    expect(
      parts('multipart/mixed;boundary=x', `not a part\r\n${two('--x')}--x\r\n\r\nlate\r\n`),
    ).toHaveLength(2);
  });

  it('may leave out its closing delimiter', () => {
    expect(
      parts('multipart/mixed;boundary=x', '--x\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n'),
    ).toEqual([['application/sdp', 'v=0\r\n']]);
  });

  it('may fold the headers of a part and write their names in any case', () => {
    const body = '--x\r\ncONTENT-tYPE: application/sdp;\r\n charset=utf-8\r\n\r\nv=0\r\n--x--';
    const [part] = parseMultipart(parseContentType('multipart/mixed;boundary=x')!, body);
    expect(part).toMatchObject({ contentType: { type: 'application/sdp' }, content: 'v=0' });
    expect(part!.contentType.parameters.get('charset')).toBe('utf-8');
  });

  it.each([
    ['is missing', 'multipart/mixed', '--x'],
    ['is another one', 'multipart/mixed;boundary=y', '--x'],
    ['has the delimiter’s dashes in it already', 'multipart/mixed;boundary=--x-9', '--x-9'],
    ['is the parameter of another name', 'multipart/mixed;boundry=x', '--x  '],
  ])('is cut at its first line of dashes where its boundary %s', (_what, contentType, open) => {
    expect(parts(contentType, two(open)).map(([type]) => type)).toEqual([
      'application/sdp',
      'application/rs-metadata+xml',
    ]);
  });

  it.each([
    ['a blank line ahead of its header', '\r\n \r\nContent-Type: application/sdp\r\n\r\nv=0\r\n'],
    ['no blank line behind it', 'Content-Type: application/sdp \r\nv=0\r\n'],
    ['a line of spaces behind it', 'content-type : application/sdp\r\n  \r\nv=0\r\n'],
  ])('may have a part with %s', (_what, part) => {
    expect(parts('multipart/mixed;boundary=x', `--x\r\n${part}--x--`)).toEqual([['application/sdp', 'v=0']]);
  });

  it('takes a line that only begins like the boundary for content', () => {
    const body = '--x\r\n\r\n--xylophone\r\n--x and more\r\n--x--';
    expect(parts('multipart/mixed;boundary=x', body)).toEqual([
      ['text/plain', '--xylophone\r\n--x and more'],
    ]);
  });

  it('comes apart into exactly the parts it was made of', () => {
    const content = fc
      .array(fc.constantFrom('v=0', '', ' ', '--', 'a=b', '<x/>', '-- y', 'é'), { maxLength: 8 })
      .map((lines) => lines.join('\r\n'));
    fc.assert(
      fc.property(
        fc.stringMatching(/^[-A-Za-z0-9'()+_,./:=?]{1,60}$/),
        fc.array(content, { minLength: 1, maxLength: 5 }),
        fc.boolean(),
        (boundary, contents, quoted) => {
          fc.pre(
            !contents.some((text) => text.split('\r\n').some((line) => line.startsWith(`--${boundary}`))),
          );
          // Unquoted, a boundary may not hold what a parameter cannot (RFC 2045 section 5.1).
          const parameter = quoted || /[()<>@,;:\\"/[\]?=]/.test(boundary) ? `"${boundary}"` : boundary;
          const body =
            contents
              .map((text) => `--${boundary}\r\nContent-Type: application/sdp\r\n\r\n${text}\r\n`)
              .join('') + `--${boundary}--\r\n`;
          expect(parts(`multipart/mixed;boundary=${parameter}`, body).map(([, text]) => text)).toEqual(
            contents,
          );
        },
      ),
    );
  });

  it('of any bytes is read or refused with MULTIPART_MALFORMED, never anything else', () => {
    const line = fc.constantFrom(
      '--x',
      '--x--',
      'Content-Type: application/sdp',
      ': y',
      '',
      'v=0',
      ' folded',
      '--x--x',
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(line, fc.string()), { maxLength: 40 }), fc.boolean(), (lines, bare) => {
        try {
          readBody('multipart/mixed;boundary=x', lines.join(bare ? '\n' : '\r\n'));
        } catch (error) {
          if (!isEarshotError(error) || error.code !== 'MULTIPART_MALFORMED') throw error;
        }
      }),
    );
  });

  it('is refused when it has more parts, or is longer, than a call can need', () => {
    expect(() => parts('multipart/mixed;boundary=x', '--x\r\n\r\na\r\n'.repeat(40))).toThrow(
      /more than 16 parts/,
    );
    expect(() => parts('multipart/mixed;boundary=x', 'y'.repeat(300_000))).toThrow(/longer than/);
  });
});

describe('long rows of one character', () => {
  const n = 120_000;
  it.each(['\0', ' ', '\t', '\n', '\r\n', '-', '--x\n', '<', '&', '"', '=', ';', 'a', '<a ', '= '])(
    'such as %j, and what is no good behind them, are refused or read like any other',
    (row) => {
      const long = row.repeat(n / row.length);
      for (const content of [`${long}!`, `v=0${long}!`, `<recording>${long}!</recording>`]) {
        for (const headers of ['Content-Type: text/xml', 'Content-Type: application/sdp', long]) {
          const body = `--x\r\n${headers}\r\n\r\n${content}\r\n--x--`;
          for (const contentType of ['multipart/mixed;boundary=x', 'multipart/mixed', null]) {
            try {
              const read = readBody(contentType, body);
              if (read.kind === 'read' && read.metadataXml !== null) parseMetadata(read.metadataXml);
            } catch (error) {
              if (!isEarshotError(error)) throw error;
            }
          }
        }
      }
    },
  );
});

describe('a body', () => {
  const xml = '<?xml version="1.0"?><tns:recording/>';
  const inOne = (headers: string, content: string): string => `--x\r\n${headers}\r\n\r\n${content}\r\n--x--`;

  it.each([
    ['of SDP without a Content-Type', null, '\r\nv=0\r\n', { sdp: 'v=0\r\n', metadataXml: null }],
    ['of parts without a Content-Type', null, inOne('Content-Type: application/sdp', 'v=0'), { sdp: 'v=0' }],
    ['of metadata without a Content-Type', null, xml, { sdp: null, metadataXml: xml }],
    [
      'with metadata of a type that is spoilt',
      'multipart/mixed;boundary=x',
      inOne('Content-Type: application/ +xml\r\nContent-Disposition: recording-session', xml),
      { metadataXml: xml },
    ],
    [
      'with metadata of any XML, by its disposition',
      'multipart/mixed;boundary=x',
      inOne('Content-Type: application/xml\r\nContent-Disposition: Recording-Session', '<other/>'),
      { metadataXml: '<other/>' },
    ],
    [
      'with metadata as any XML',
      'multipart/mixed;boundary=x',
      inOne('Content-Type: text/xml', xml),
      { metadataXml: xml },
    ],
    ['with SDP of no type', 'multipart/mixed;boundary=x', inOne('X: y', 'v=0'), { sdp: 'v=0' }],
    [
      'with an empty part for metadata',
      'multipart/mixed;boundary=x',
      inOne('Content-Type: application/rs-metadata+xml', ' '),
      { metadataXml: null },
    ],
    [
      'with parts inside a part',
      'multipart/mixed;boundary=o',
      `--o\r\nContent-Type: multipart/alternative;boundary=x\r\n\r\n${inOne('Content-Type: application/sdp', 'v=0')}\r\n--o--`,
      { sdp: 'v=0' },
    ],
    [
      'of SDP with white space around its lines',
      'application/sdp',
      ' v=0 \r\no=- 1 1 IN IP4 192.0.2.1\t\n',
      { sdp: 'v=0\r\no=- 1 1 IN IP4 192.0.2.1\n' },
    ],
  ])('%s is read', (_what, contentType, body, says) => {
    expect(readBody(contentType, body)).toMatchObject({ kind: 'read', ...says });
  });

  it.each([
    ['text/plain', 'v=0\r\n'],
    [null, 'hello'],
    ['nonsense', 'v=0\r\n'],
  ])('of type %s that is none of ours is told apart', (contentType, body) => {
    expect(readBody(contentType, body)).toMatchObject({ kind: 'unsupported' });
  });

  it('keeps SDP and metadata whichever comes first (BroadWorks), and names the other parts (Cisco)', () => {
    const part = (type: string, text: string): string => `--x\r\nContent-Type: ${type}\r\n\r\n${text}\r\n`;
    const body =
      part('application/rs-metadata', '<r/>') +
      part('application/gtd', 'g') +
      part('Application/SDP', 'v=0') +
      '--x--';
    expect(readBody('multipart/mixed;boundary=x', body)).toEqual({
      kind: 'read',
      sdp: 'v=0',
      metadataXml: '<r/>',
      otherTypes: ['application/gtd'],
    });
  });
});
