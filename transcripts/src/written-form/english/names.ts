import { setOf } from './lexicon.ts';

/** Given names that are hardly words of their own: capital wherever they stand. */
export const GIVEN_NAMES = setOf(
  'adam alan albert alexander alexandra alice alison amanda amy andrea andrew angela ann anna anne anthony antonio ' +
    'arthur barbara benjamin betty beverly brandon brenda brian bruce bryan caroline carolyn catherine charles ' +
    'charlotte cheryl christine christopher cynthia daniel david deborah debra dennis diana diane donald donna ' +
    'dorothy douglas dylan edward elizabeth ellen emily emma eric ethan evelyn fiona gary george gerald gloria ' +
    'graham gregory hannah harold heather helen henry ian isabella jacob jacqueline james janet janice jason ' +
    'jeffrey jennifer jeremy jessica joan joe john jonathan jordan jose joseph joshua joyce juan judith judy julia ' +
    'julie justin karen katherine kathleen kathryn keith kelly kenneth kevin kimberly kyle larry laura lauren ' +
    'lawrence linda lisa louis louise lucas lucy luis margaret maria marie marilyn martha martin matthew megan ' +
    'melissa michael michelle mohammed nancy natalie nathan nicholas nicole noah olivia oliver pamela patricia ' +
    'patrick paul peter philip rachel raymond rebecca richard robert roger ronald russell ryan samantha samuel ' +
    'sandra sarah scott sean sharon shirley simon sophia sophie stephanie stephen steven susan teresa theresa ' +
    'thomas timothy tyler victoria vincent virginia walter wayne william zachary priya sanjay fatima carlos miguel ' +
    'elena sofia',
);

/** Given names that are words too: only where a name is expected. */
export const MAYBE_NAMES = setOf(
  'mark bill will grant rose grace hope joy may june april frank rich art pat sue drew chase faith dawn iris ruby ' +
    'amber robin jack ray rob jean gene dean glen guy max nick norm penny sandy skip tony tom tim sam jim bob ben dan ' +
    'don ken ron ted liz kate jane mary carol jerry terry roy lee kim alex chris charlie mike victor oscar juliet romeo',
);

/** Family names: capital after a given name or a title. */
export const FAMILY_NAMES = setOf(
  'smith johnson williams brown jones garcia miller davis rodriguez martinez hernandez lopez gonzalez wilson anderson ' +
    'thomas taylor moore jackson martin lee perez thompson white harris sanchez clark ramirez lewis robinson walker ' +
    'young allen king wright scott torres nguyen hill flores green adams nelson baker hall rivera campbell mitchell ' +
    'carter roberts gomez phillips evans turner diaz parker cruz edwards collins reyes stewart morris morales murphy ' +
    'cook rogers gutierrez ortiz morgan cooper peterson bailey reed kelly howard ramos kim cox ward richardson watson ' +
    'brooks chavez wood james bennett gray mendoza ruiz hughes price alvarez castillo sanders patel myers long ross ' +
    'foster jimenez powell jenkins perry russell sullivan bell coleman butler henderson barnes fisher simmons graham ' +
    "murray ford hamilton wallace west jordan owens reynolds ellis harrison gibson mcdonald kennedy wells o'brien " +
    "o'connor singh khan ahmed chen wang clarke shaw palmer mason hunt holmes grant stone black webb",
);

/** Family names that are words too: only where the name ends with them. */
export const MAYBE_FAMILY_NAMES = setOf(
  'young king hill green hall baker cook ward wood gray price long ross west black white stone hunt bell grant wells ' +
    'ford brown fisher mason cox jordan may rice',
);

/** Words that are always written with a capital, as they are written. */
export const PROPER_WORDS: ReadonlyMap<string, string> = new Map([
  ...(
    'Monday Tuesday Wednesday Thursday Friday Saturday Sunday January February April June July August September ' +
    'October November December Christmas Thanksgiving Easter English Spanish French German Italian Chinese Japanese ' +
    'Portuguese Russian Arabic Hindi American British Canadian Mexican European Irish Scottish Welsh America Canada ' +
    'Mexico England Scotland Ireland Wales Britain Germany France Spain Italy India China Japan Australia Europe ' +
    'London Manchester Birmingham Liverpool Edinburgh Glasgow Dublin Paris Berlin Chicago Boston Houston Dallas ' +
    'Seattle Denver Miami Atlanta Philadelphia Brooklyn Manhattan Texas California Florida Michigan Ohio Illinois ' +
    'Arizona Oregon Colorado Pennsylvania Massachusetts Amazon Google Microsoft Netflix Facebook Samsung Mastercard ' +
    'Visa Android Bluetooth Gmail'
  )
    .split(' ')
    .map((word): [string, string] => [word.toLowerCase(), word]),
  ['iphone', 'iPhone'],
  ['ipad', 'iPad'],
  ['paypal', 'PayPal'],
  ['youtube', 'YouTube'],
  ['whatsapp', 'WhatsApp'],
  ['wifi', 'Wi-Fi'],
  ['ok', 'OK'],
  ['usb', 'USB'],
  ['ip', 'IP'],
  ['atm', 'ATM'],
  ['sms', 'SMS'],
  ['pdf', 'PDF'],
  ['vpn', 'VPN'],
  ['url', 'URL'],
]);

/** Contractions that a recogniser wrote without its apostrophe, as far as they can be nothing else. */
export const CONTRACTIONS: ReadonlyMap<string, string> = new Map(
  (
    "i'm i've don't doesn't didn't can't couldn't wouldn't shouldn't isn't aren't wasn't weren't haven't hasn't " +
    "hadn't won't ain't mustn't you're you've you'll they're they've they'll we've that's what's here's there's " +
    "where's who's how's when's could've would've should've that'll it'll o'clock y'all ma'am"
  )
    .split(' ')
    .map((written): [string, string] => [written.replace("'", ''), written]),
);
