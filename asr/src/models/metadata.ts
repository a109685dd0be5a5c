import { EarshotError } from '@earshot/contracts';

/** The metadata of one ONNX file, by key; every fault names the file and the key. */
export class Metadata {
  readonly #file: string;
  readonly #values: ReadonlyMap<string, string>;

  constructor(file: string, values: ReadonlyMap<string, string>) {
    this.#file = file;
    this.#values = values;
  }

  text(key: string): string | undefined {
    return this.#values.get(key);
  }

  /** @throws EarshotError MODEL_INVALID that names the key */
  integer(key: string, min: number, max: number): number {
    return this.#integer(key, this.#required(key), min, max);
  }

  integerOr(key: string, or: number, min: number, max: number): number {
    const text = this.#values.get(key);
    return text === undefined ? or : this.#integer(key, text, min, max);
  }

  /** Comma-separated integers. @param count how many there must be; undefined: one at least */
  integers(key: string, min: number, max: number, count?: number): readonly number[] {
    const values = this.#required(key)
      .split(',')
      .map((part) => this.#integer(key, part, min, max));
    if (count !== undefined && values.length !== count) {
      throw this.#invalid(`metadata ${key} has ${values.length} values, not ${count}`);
    }
    return values;
  }

  #required(key: string): string {
    const text = this.#values.get(key);
    if (text === undefined) throw this.#invalid(`has no metadata ${key}`);
    return text;
  }

  #integer(key: string, text: string, min: number, max: number): number {
    const value = /^\s*\d{1,15}\s*$/.test(text) ? Number(text) : NaN;
    if (!(value >= min && value <= max)) {
      throw this.#invalid(`metadata ${key} is "${text.slice(0, 40)}", not an integer from ${min} to ${max}`);
    }
    return value;
  }

  #invalid(fault: string): EarshotError {
    return new EarshotError('MODEL_INVALID', `${this.#file}: ${fault}`);
  }
}
