import { EarshotError } from '@earshot/contracts';
import { readFileSync } from 'node:fs';
import { readTokens } from '../decode/tokens.ts';
import { requireFile } from './folder-files.ts';

/** The symbols of a model's tokens.txt, as they stand there. */
export class Vocabulary {
  readonly symbols: readonly string[];

  /** @throws EarshotError MODEL_MISSING, MODEL_INVALID */
  constructor(folder: string) {
    const read = readTokens(readFileSync(requireFile(folder, 'tokens.txt'), 'utf8'));
    if (!read.ok) throw new EarshotError('MODEL_INVALID', `tokens.txt: ${read.fault}`);
    if (read.pieces.length > 65536) {
      throw new EarshotError('MODEL_INVALID', `tokens.txt: ${read.pieces.length} tokens are more than 65536`);
    }
    this.symbols = read.pieces;
  }

  /** @throws EarshotError MODEL_INVALID unless there are `count` tokens; `where` says who says so */
  expect(count: number, where: string): void {
    if (this.symbols.length === count) return;
    throw new EarshotError(
      'MODEL_INVALID',
      `tokens.txt: ${this.symbols.length} tokens, but ${where} says ${count}`,
    );
  }

  /** @returns its id, or null */
  idOf(symbol: string): number | null {
    const id = this.symbols.indexOf(symbol);
    return id < 0 ? null : id;
  }

  /** The id of CTC's blank, by its usual names. @throws EarshotError MODEL_INVALID when none is there */
  blank(): number {
    const id = this.idOf('<blk>') ?? this.idOf('<eps>') ?? this.idOf('<blank>');
    if (id !== null) return id;
    throw new EarshotError('MODEL_INVALID', 'tokens.txt: no <blk>, <eps> or <blank>');
  }
}
