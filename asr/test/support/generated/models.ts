export { nemoCtcFolder, nemoTransducerFolder } from './nemo.ts';
export { REVEALED, revealingCtcFolder, revealingTransducerFolder } from './revealing.ts';
export { tOneFolder } from './t-one.ts';
export { zipformer2CtcFolder, zipformerTransducerFolder } from './zipformer.ts';
