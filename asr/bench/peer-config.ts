import { join } from 'node:path';
import type { ModelDescription } from '../src/models/model.ts';

/**
 * sherpa-onnx's modelConfig for the same files.
 * @throws Error for a format that it has no recogniser for
 */
export function peerModelConfig({ format, folder, files }: ModelDescription): Record<string, unknown> {
  const path = (role: string): string => join(folder, files[role] ?? '');
  const common = { tokens: join(folder, 'tokens.txt'), numThreads: 1, provider: 'cpu', debug: 0 };
  switch (format) {
    case 't-one':
      return { ...common, toneCtc: { model: path('model') } };
    case 'zipformer2-ctc':
      return { ...common, zipformer2Ctc: { model: path('model') } };
    case 'nemo-ctc':
      return { ...common, nemoCtc: { model: path('model') } };
    case 'zipformer2-transducer':
    case 'zipformer-transducer':
    case 'nemo-transducer':
      return {
        ...common,
        transducer: { encoder: path('encoder'), decoder: path('decoder'), joiner: path('joiner') },
      };
    default:
      throw new Error(`sherpa-onnx has no recogniser for models of the format ${format}`);
  }
}
