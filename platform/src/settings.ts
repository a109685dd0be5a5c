import net from 'node:net';

export type Faults = string[];

/** One environment variable: how it is read, and what the documentation says of it. */
export interface Setting<T> {
  readonly defaultValue: T;
  readonly meaning: string;
  /** `integer 1 to 64`, `URL`, … */
  readonly form: string;
  /** An empty value counts as unset. A fault is added to faults and the default returned. */
  read(name: string, value: string | undefined, faults: Faults): T;
}

type Parsed<T> = { readonly value: T } | { readonly expected: string };

function setting<T>(
  form: string,
  defaultValue: T,
  meaning: string,
  parse: (value: string) => Parsed<T>,
): Setting<T> {
  return {
    defaultValue,
    meaning,
    form,
    read(name, value, faults) {
      if (value === undefined || value.trim() === '') return defaultValue;
      const parsed = parse(value.trim());
      if ('value' in parsed) return parsed.value;
      faults.push(`${name}: "${value}" is not ${parsed.expected}`);
      return defaultValue;
    },
  };
}

export const textSetting = (defaultValue: string | null, meaning: string): Setting<string | null> =>
  setting<string | null>('text', defaultValue, meaning, (value) => ({ value }));

/** An address to listen on. libuv takes no names: `localhost` is 127.0.0.1. */
export const bindSetting = (defaultValue: string | null, meaning: string): Setting<string | null> =>
  setting<string | null>('IP address', defaultValue, meaning, (value) => {
    const address = value === 'localhost' ? '127.0.0.1' : value;
    return net.isIP(address) === 0 ? { expected: 'an IP address' } : { value: address };
  });

/** An address that others send to: not that of all interfaces, and without the zone, which means something here only. */
export const reachableSetting = (defaultValue: string | null, meaning: string): Setting<string | null> =>
  setting<string | null>('IP address', defaultValue, meaning, (value) =>
    net.isIP(value) === 0 || value.includes('%') || isUnspecified(value)
      ? { expected: 'an IP address that others can send to, such as 192.0.2.10' }
      : { value },
  );

/** `0.0.0.0`, `::` and its longer spellings. */
export const isUnspecified = (address: string): boolean => /^[0:.]+$/.test(address);

export const isLoopback = (address: string): boolean => address === '::1' || address.startsWith('127.');

/** RFC 1123 section 2.1: the last label of a name is not all digits, so that no misspelt address is taken for a name. */
const HOST_NAME = /^(?=.{1,253}$)([\w]([\w-]{0,61}[\w])?\.)*(?!\d+\.?$)[\w]([\w-]{0,61}[\w])?\.?$/;

/** A name or an address of another machine. */
export const hostSetting = (defaultValue: string | null, meaning: string): Setting<string | null> =>
  setting<string | null>('host name or IP address', defaultValue, meaning, (value) =>
    net.isIP(value) !== 0 || HOST_NAME.test(value) ? { value } : { expected: 'a host name or an IP address' },
  );

export const integerSetting = (
  defaultValue: number | null,
  min: number,
  max: number,
  meaning: string,
): Setting<number | null> =>
  setting<number | null>(`integer ${min} to ${max}`, defaultValue, meaning, (value) =>
    /^\d{1,9}$/.test(value) && Number(value) >= min && Number(value) <= max
      ? { value: Number(value) }
      : { expected: `an integer from ${min} to ${max}` },
  );

export const choiceSetting = (
  defaultValue: string,
  choices: readonly string[],
  meaning: string,
): Setting<string> =>
  setting<string>(choices.join(', '), defaultValue, meaning, (value) =>
    choices.includes(value) ? { value } : { expected: `one of ${choices.join(', ')}` },
  );

/** Some of the choices, separated by commas, in the order of the choices. Default: all. */
export const choicesSetting = <T extends string>(
  defaultValue: readonly T[],
  choices: readonly T[],
  meaning: string,
): Setting<readonly T[]> =>
  setting<readonly T[]>(`of ${choices.join(', ')}, comma-separated`, defaultValue, meaning, (value) => {
    const parts = value.split(',').map((part) => part.trim());
    return parts.every((part) => (choices as readonly string[]).includes(part))
      ? { value: choices.filter((choice) => parts.includes(choice)) }
      : { expected: `one or more of ${choices.join(', ')}, separated by commas` };
  });

export const urlSetting = (
  defaultValue: string | null,
  protocols: readonly string[],
  meaning: string,
): Setting<string | null> =>
  setting<string | null>(`URL (${protocols.join(' ')})`, defaultValue, meaning, (value) =>
    URL.canParse(value) && protocols.includes(new URL(value).protocol)
      ? { value }
      : { expected: `a URL of ${protocols.join(' or ')}` },
  );

function isCidr(value: string): boolean {
  const [address = '', bits, ...rest] = value.split('/');
  const family = net.isIP(address);
  if (family === 0 || rest.length > 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128));
}

export const cidrSetting = (defaultValue: readonly string[], meaning: string): Setting<readonly string[]> =>
  setting<readonly string[]>('CIDRs, comma-separated', defaultValue, meaning, (value) => {
    const parts = value.split(',').map((part) => part.trim());
    const wrong = parts.find((part) => !isCidr(part));
    return wrong === undefined
      ? { value: parts }
      : { expected: 'a list of networks such as 192.0.2.0/24,198.51.100.7' };
  });

/** A list of texts, separated by commas, each of one form. */
export const listSetting = (
  form: string,
  each: RegExp,
  example: string,
  meaning: string,
): Setting<readonly string[]> =>
  setting<readonly string[]>(`${form}, comma-separated`, [], meaning, (value) => {
    const parts = value
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== '');
    return parts.every((part) => each.test(part))
      ? { value: parts }
      : { expected: `a list such as ${example}` };
  });

/** A check of source addresses against networks as SIP_ALLOW lists them. */
export function addressCheck(networks: readonly string[]): (address: string) => boolean {
  const list = new net.BlockList();
  for (const network of networks) {
    const [address = '', bits] = network.split('/');
    const family = net.isIPv6(address) ? 'ipv6' : 'ipv4';
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return (address) => {
    const plain = address.startsWith('::ffff:') ? address.slice(7) : address;
    return list.check(plain, net.isIPv6(plain) ? 'ipv6' : 'ipv4');
  };
}
