import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isEarshotError } from '@earshot/contracts';
import { parseContentType } from '../src/dialects/content-type.ts';
import { readBody } from '../src/dialects/index.ts';
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

describe('a body', () => {
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
