/** A small grammar of contact-centre sentences, of our own, for what is measured of a model. Deterministic. */
const SLOTS: Readonly<Record<string, readonly string[]>> = {
  digit: ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'],
  number: [
    'twelve',
    'fifteen',
    'twenty five',
    'forty two',
    'sixty',
    'eighty one',
    'ninety nine',
    'three hundred',
  ],
  day: ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'],
  month: ['january', 'march', 'april', 'june', 'august', 'october', 'december'],
  thing: ['order', 'invoice', 'refund', 'account', 'contract', 'delivery', 'router', 'phone', 'subscription'],
  name: ['john', 'mary', 'robert', 'susan', 'david', 'karen', 'michael', 'laura'],
  problem: ['broken', 'late', 'missing', 'wrong', 'too slow', 'not working'],
};

const TEMPLATES: readonly string[] = [
  'my account number is <digit> <digit> <digit> <digit> <digit>',
  'i would like to ask about my <thing>',
  'can you tell me when my <thing> will arrive',
  'the <thing> that i got on <day> is <problem>',
  'thank you for calling my name is <name> how can i help you',
  'i was charged <number> dollars on <day>',
  'please hold on while i look at your <thing>',
  'the total is <number> dollars and <number> cents',
  'could you please spell your last name for me',
  'i moved to a new house in <month> and my address is wrong',
  'is there anything else that i can do for you today',
  'no that is all thank you very much for your help',
  'i have been waiting for <number> minutes',
  'my date of birth is the second of <month>',
  'the best time to call me is <day> in the morning',
  'i want to cancel my <thing> and get my money back',
  'you can reach me at <digit> <digit> <digit> <digit> <digit> <digit> <digit>',
  'we will send you a new <thing> by <day>',
  'yes i can see your <thing> here <name>',
  'let me check that for you and call you back on <day>',
  'i did not get the email that you sent me in <month>',
  'there is a problem with my <thing> it is <problem>',
  'your <thing> number is <digit> <digit> <digit> <digit>',
  'i am sorry to hear that your <thing> was <problem>',
];

/** @returns count sentences, lower case and without punctuation; the same ones for the same seed */
export function sentences(count: number, seed: number): string[] {
  let state = seed >>> 0;
  const below = (n: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  return Array.from({ length: count }, (_, i) =>
    TEMPLATES[(i + seed) % TEMPLATES.length]!.replace(/<(\w+)>/gu, (_all, slot: string) => {
      const values = SLOTS[slot]!;
      return values[below(values.length)]!;
    }),
  );
}
