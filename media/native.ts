// `node media/native.ts`: compiles the native RTP reader where that was not done yet, so that the first start need not. Part of
// `node start.mjs install`. Says why where it cannot be had, which is no failure: dgram reads then.
import { builtReader, NativeUnavailable } from './src/native/build.ts';

try {
  await builtReader();
} catch (error) {
  if (!(error instanceof NativeUnavailable)) throw error;
  console.log(`No native RTP reader: ${error.message}. ${error.action}`);
}
