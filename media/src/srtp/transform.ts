import { CounterTransform } from './counter-transform.ts';
import { deriveSession } from './derivation.ts';
import { GcmTransform } from './gcm-transform.ts';
import type { SrtpKeys } from './keys.ts';
import type { Transform } from './layout.ts';
import { suiteSizes } from './suite.ts';

export function transformFor(keys: SrtpKeys): Transform {
  const session = deriveSession(keys);
  return suiteSizes[keys.suite].aead ? new GcmTransform(session) : new CounterTransform(session);
}
