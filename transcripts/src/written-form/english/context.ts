import { setOf } from './lexicon.ts';
import type { Tokens } from './tokens.ts';

/** What the words before a number say that it is. */
export type NumberContext = 'phone' | 'card' | 'account' | 'ssn' | 'sort' | 'expiry' | 'code';

const NOUNS: ReadonlyMap<string, NumberContext> = new Map(
  (
    [
      [
        'phone',
        'phone telephone mobile cell cellphone landline fax dial callback reach text phoned ringing switchboard',
      ],
      ['card', 'card cards visa mastercard amex debit'],
      [
        'account',
        'account order ticket reference ref confirmation tracking policy member membership customer invoice case ' +
          'claim serial booking reservation routing iban license licence passport contract meter parcel shipment',
      ],
      ['ssn', 'social security'],
      ['sort', 'sort'],
      ['expiry', 'expires expiry expiration expire expiring'],
      [
        'code',
        'code pin passcode zip postcode postal extension room flight gate route bus highway channel model number ' +
          'numbers ending ends digits id birth birthday dob password option version unit apartment suite locker box',
      ],
    ] as const
  ).flatMap(([context, nouns]) => nouns.split(' ').map((noun): [string, NumberContext] => [noun, context])),
);

const REACH = 7;
const WEAK = new Set<NumberContext>(['code']);

/** The nearest noun before index that says what a number is; "number" and the like only where nothing says more. */
export function contextOf(tokens: Tokens, index: number): NumberContext | null {
  let weak: NumberContext | null = null;
  for (let i = index - 1; i >= 0 && i >= index - REACH; i--) {
    const context = NOUNS.get(tokens.at(i));
    if (context === undefined) continue;
    if (!WEAK.has(context)) return context;
    // "my number is": with no other noun they speak of their telephone.
    weak ??= tokens.at(i) === 'number' && OWNERS.has(tokens.at(i - 1)) ? 'phone' : context;
    // "the code on my card is": what stands nearest says it, unless it is as general as "number".
    if (!GENERAL.has(tokens.at(i))) return context;
  }
  return weak;
}

const OWNERS = setOf('my your his her our their');
const GENERAL = setOf('number numbers digits ending ends code');

/** A lone digit at index is a number that has a name: "press one", "my account number is seven". */
export function loneDigitIsNumber(tokens: Tokens, index: number): boolean {
  const before = tokens.at(index - 1);
  if (PLACES.has(before)) return true;
  return (before === 'is' || before === 'are') && index === tokens.end - 1 && NOUNS.has(tokens.at(index - 2));
}

/** The word before says that a code follows: "flight b two", "my seat number is a one". */
export function isNamed(tokens: Tokens, index: number): boolean {
  const at = tokens.at(index - 1) === 'is' ? index - 2 : index - 1;
  return NOUNS.has(tokens.at(at)) || PLACES.has(tokens.at(at));
}

/** Nouns after which a number is a name: "press 1", "room 5". */
export const PLACES = setOf(
  'press option extension apartment apt unit suite room gate platform version tier level step page flat bay desk',
);
