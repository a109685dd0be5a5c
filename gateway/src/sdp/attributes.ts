/**
 * The attributes of each m-line (RFC 8866 section 5.13), in order, without `a=`. For those that sdp-transform does not read whole: of
 * a=crypto it takes one session parameter at most.
 * @returns one list for each m-line; the session's own attributes are left out
 */
export function mediaAttributes(sdp: string): string[][] {
  const media: string[][] = [];
  for (const line of sdp.split(/\r\n|\n|\r/)) {
    if (line.startsWith('m=')) media.push([]);
    else if (line.startsWith('a=')) media.at(-1)?.push(line.slice(2).trimEnd());
  }
  return media;
}

/** The values of the attributes with this name; a property attribute (without a value) has ''. */
export function valuesOf(attributes: readonly string[], name: string): string[] {
  const values: string[] = [];
  for (const attribute of attributes) {
    if (attribute === name) values.push('');
    else if (attribute.startsWith(`${name}:`)) values.push(attribute.slice(name.length + 1));
  }
  return values;
}

/** An IP address rather than a name; whether it is a sound one is seen when something is sent there. */
export const isAddress = (text: string): boolean =>
  /^(\d{1,3}(\.\d{1,3}){3}|[0-9a-f.:]*:[0-9a-f.:]*)$/i.test(text);
