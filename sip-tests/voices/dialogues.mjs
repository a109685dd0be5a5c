// The six conversations, as they are spoken. A turn is a list of phrases: each is synthesised by itself
// and a short breath is put between them, because the diphone voices run long sentences together.
// Words are lower case, without punctuation and with numbers spelled out: as a recogniser prints them.
// `user` is the user part of the speaker's address of record (the numbers are reserved for fiction);
// `voice` is a flite voice (slt, kal, awb) or `hts`, festival's cmu_us_slt_arctic_hts.

/**
 * @typedef {{ party: 'agent' | 'customer', phrases: string[] }} SpokenTurn
 * @typedef {{ voice: string, name: string, user: string }} Speaker
 * @typedef {{ name: string, agent: Speaker, customer: Speaker, turns: SpokenTurn[] }} Dialogue
 */

const agent = (...phrases) => ({ party: 'agent', phrases });
const customer = (...phrases) => ({ party: 'customer', phrases });

/** @type {Dialogue[]} */
export const dialogues = [
  {
    name: 'billing',
    agent: { voice: 'kal', name: 'James', user: 'james' },
    customer: { voice: 'slt', name: 'Linda Parker', user: '+12025550101' },
    turns: [
      agent('thank you for calling customer service my name is james how can i help you today'),
      customer(
        'hi my name is linda parker and i am calling about my bill',
        'why is my bill so high this month',
      ),
      agent('can i have your account number please'),
      customer('my account number is four seven two nine five'),
      agent(
        'thank you for holding i have your information here',
        'there is a charge on your bill for forty dollars',
      ),
      customer('i do not recognize it'),
      agent(
        'i am sorry to hear that',
        'we will credit forty dollars to your account within five business days',
      ),
      customer('okay great thanks bye'),
    ],
  },
  {
    name: 'delivery',
    agent: { voice: 'slt', name: 'Susan', user: 'susan' },
    customer: { voice: 'kal', name: 'Robert Hill', user: '+12025550102' },
    turns: [
      agent('good morning this is susan speaking how may i help you'),
      customer(
        'hello i would like to check the status of my order',
        'i placed an order on march third and it still has not arrived',
      ),
      agent('can i have your order number please'),
      customer('order number eight one six four two'),
      agent('please hold while i look up your account', 'it will be there on friday'),
      customer('please send it to twenty five maple street'),
      agent('is there anything else i can help you with'),
      customer('no that is all thank you very much have a nice day'),
    ],
  },
  {
    name: 'appointment',
    agent: { voice: 'hts', name: 'Karen', user: 'karen' },
    customer: { voice: 'kal', name: 'David Brown', user: '+12025550103' },
    turns: [
      agent('good afternoon this is karen speaking how may i help you'),
      customer('can we schedule an appointment for monday at ten thirty in the morning'),
      agent('can you confirm your date of birth'),
      customer('my date of birth is june twelfth nineteen seventy five'),
      agent('thank you', 'can i have your name please'),
      customer('my name is david brown'),
      agent('the technician will be there on monday between ten o clock and twelve o clock'),
      customer('yes that is correct', 'you can reach me at five five five two one nine four'),
      agent('thank you very much have a nice day'),
    ],
  },
  {
    name: 'internet-fault',
    agent: { voice: 'slt', name: 'Laura', user: 'laura' },
    customer: { voice: 'kal', name: 'Paul Reed', user: '+12025550104' },
    turns: [
      agent('thank you for calling my name is laura how can i help you today'),
      customer(
        'the internet connection keeps dropping every ten minutes',
        'this is the third time i have called about this problem',
      ),
      agent('i am sorry to hear that let me see what i can do', 'have you tried turning it off and on again'),
      customer('yes', 'my router stopped working tuesday at nine o clock'),
      agent('what is the light on the router showing'),
      customer('it is red'),
      agent('the technician will be there on thursday between two o clock and four o clock'),
      customer('okay great thanks bye'),
    ],
  },
  {
    name: 'refund',
    agent: { voice: 'kal', name: 'Mark', user: 'mark' },
    customer: { voice: 'hts', name: 'Anna Cooper', user: '+12025550105' },
    turns: [
      agent('good evening this is mark speaking how may i help you'),
      customer(
        'i would like to return the printer that i bought on april second',
        'the printer is broken and it does not turn on',
      ),
      agent('can i have your account number please'),
      customer('the account number is nine three eight one six and my name is anna cooper'),
      agent('please hold while i look up your account'),
      customer('i want a refund of two hundred and fifty dollars'),
      agent('we will credit two hundred and fifty dollars to your account within ten business days'),
      customer('that is all thank you very much'),
    ],
  },
  {
    name: 'card-lost',
    agent: { voice: 'hts', name: 'Emily', user: 'emily' },
    customer: { voice: 'slt', name: 'Helen Carter', user: '+12025550106' },
    turns: [
      agent('thank you for calling my name is emily how can i help you today'),
      customer(
        'hi my name is helen carter and i am calling about my credit card',
        'i was charged ninety dollars on sunday and i do not recognize it',
      ),
      agent('i am sorry to hear that', 'can i have the last four digits of your card please'),
      customer('the last four digits of my card are seven two one eight'),
      agent('did you receive an email from us about the card'),
      customer('no that is not right', 'i want to cancel my credit card please'),
      agent('your balance is sixty dollars and we will send a card to your address'),
      customer('okay thank you very much have a nice day'),
    ],
  },
];
