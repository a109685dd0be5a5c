import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Metadata } from '../../src/models/metadata.ts';

const of = (key: string, value: string): Metadata => new Metadata('x.onnx', new Map([[key, value]]));

test('integers and lists of them are read as exporters write them', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(10_000), { minLength: 1 }), (values) => {
      expect(of('dims', values.join(',')).integers('dims', 0, 10_000)).toEqual(values);
      expect(of('dims', values.join(', ')).integers('dims', 0, 10_000, values.length)).toEqual(values);
      expect(of('T', String(values[0])).integer('T', 0, 10_000)).toBe(values[0]);
    }),
  );
});

test('anything else is refused by the name of the file and of the key, and never becomes a number', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      fc.pre(!/^\s*\d{1,15}\s*$/.test(text));
      expect(() => of('T', text).integer('T', 0, Number.MAX_SAFE_INTEGER)).toThrow(
        /^x\.onnx: metadata T is "/,
      );
    }),
  );
  expect(() => of('T', '45').integer('T', 1, 44)).toThrow(
    'x.onnx: metadata T is "45", not an integer from 1 to 44',
  );
  expect(() => of('T', '45').integer('U', 1, 44)).toThrow('x.onnx: has no metadata U');
  expect(() => of('T', '1,2').integers('T', 0, 9, 3)).toThrow('x.onnx: metadata T has 2 values, not 3');
});
