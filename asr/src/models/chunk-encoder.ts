import { type FeatureKind } from '../features/fbank.ts';
import { FRAME_TICKS, FrontEnd } from '../features/front-end.ts';
import { join } from 'node:path';
import type { StepBuffers } from './model.ts';
import {
  type ExpectedTensor,
  type InferenceSession,
  Tensor,
  bindByOrder,
  invalid,
  openSession,
} from './onnx.ts';
import { StateArena, type StateSpec, type StateType } from './state-arena.ts';

/** What stands at one place of a network's inputs. */
export type InputPlace =
  /** [N, window, bins], or [N, bins, window] when `binsFirst`. */
  | { readonly kind: 'features' }
  /** [N], the same number for each row. */
  | {
      readonly kind: 'constant';
      readonly role: string;
      readonly type: 'int64' | 'int32';
      readonly value: number;
    }
  /** The next of the states. */
  | { readonly kind: 'state' };

export type OutputPlace =
  /** [N, ...result] */
  | { readonly kind: 'result'; readonly role: string }
  /** Whatever: it is not asked for. */
  | { readonly kind: 'ignored' }
  | { readonly kind: 'state' };

/** How a network with states takes features and gives frames, read from its metadata. */
export interface EncoderLayout {
  readonly features: FeatureKind;
  readonly bins: number;
  readonly windowFrames: number;
  readonly shiftFrames: number;
  readonly binsFirst: boolean;
  readonly states: readonly StateSpec[];
  readonly inputs: readonly InputPlace[];
  readonly outputs: readonly OutputPlace[];
  /** Shape of one row of the result; null: any. */
  readonly result: readonly (number | null)[];
}

/** The tensors of one batch size, over the same memory as those of the others. */
interface Batch {
  readonly feeds: InferenceSession.FeedsType;
  readonly fetches: InferenceSession.FetchesType;
}

/** A streaming network from PCM to its result, with the states of all channels: what CTC models and encoders have in common. */
export class ChunkEncoder {
  /** [rows, ...result] of the last step. */
  readonly result: Float32Array;
  readonly resultShape: readonly number[];
  readonly #session: InferenceSession;
  readonly #file: string;
  readonly #layout: EncoderLayout;
  readonly #arena: StateArena;
  readonly #frontEnd: FrontEnd;
  readonly #features: Float32Array;
  /** One row, frames first; for networks that want bins first. */
  readonly #window: Float32Array;
  readonly #batches = new Map<number, Batch>();

  /**
   * Opens the network, compares its tensors with the layout and runs it once.
   * @throws EarshotError MODEL_INVALID that names the file and the tensor
   */
  static async open(
    folder: string,
    file: string,
    layout: EncoderLayout,
    maxChannels: number,
    sizes: readonly number[],
  ): Promise<ChunkEncoder> {
    const session = await openSession(join(folder, file), file);
    const encoder = new ChunkEncoder(session, file, layout, maxChannels, sizes);
    await encoder.#probe();
    return encoder;
  }

  private constructor(
    session: InferenceSession,
    file: string,
    layout: EncoderLayout,
    maxChannels: number,
    sizes: readonly number[],
  ) {
    const { windowFrames, bins } = layout;
    const most = Math.max(1, ...sizes);
    this.#session = session;
    this.#file = file;
    this.#layout = layout;
    const inputs = bindByOrder(file, 'input', session.inputMetadata, expectedInputs(layout));
    const outputs = bindByOrder(
      file,
      'output',
      session.outputMetadata,
      expectedOutputs(layout, session.outputMetadata),
    );
    this.resultShape = resultShape(file, layout, session.outputMetadata);
    const perRow = this.resultShape.reduce((a, b) => a * b, 1);
    const stateInputs = inputs.filter((_, i) => layout.inputs[i]!.kind === 'state');
    this.#arena = new StateArena(
      layout.states.map((spec, i) => ({ ...spec, type: stateInputs[i]!.type as StateType })),
      maxChannels,
      most,
    );
    this.#frontEnd = new FrontEnd({
      kind: layout.features,
      bins,
      windowFrames,
      shiftFrames: layout.shiftFrames,
      maxChannels: Math.max(maxChannels, most),
    });
    this.#features = new Float32Array(most * windowFrames * bins);
    this.#window = new Float32Array(windowFrames * bins);
    this.result = new Float32Array(most * perRow);
    for (const n of new Set([1, ...sizes])) {
      const states = this.#arena.tensors(n);
      const feeds: Record<string, Tensor> = {};
      const fetches: Record<string, Tensor> = {};
      layout.inputs.forEach((place, i) => {
        feeds[inputs[i]!.name] = this.#inputTensor(place, n, states.inputs);
      });
      layout.outputs.forEach((place, i) => {
        if (place.kind === 'result') {
          const values = this.result.subarray(0, n * perRow);
          fetches[outputs[i]!.name] = new Tensor('float32', values, [n, ...this.resultShape]);
        } else if (place.kind === 'state') fetches[outputs[i]!.name] = states.outputs.shift()!;
      });
      this.#batches.set(n, { feeds, fetches });
    }
  }

  /** Takes the rows one chunk on; see Recogniser.step. */
  async step(buffers: StepBuffers, rows: number, size: number): Promise<void> {
    const { windowFrames, shiftFrames, bins, binsFirst } = this.#layout;
    const perRow = windowFrames * bins;
    const chunk = shiftFrames * FRAME_TICKS;
    const batch = this.#batches.get(size);
    if (batch === undefined) throw new RangeError(`no batch of ${size}`);
    for (let row = 0; row < rows; row++) {
      const fresh = buffers.fresh[row] === 1;
      const channel = buffers.channels[row]!;
      const to = row * perRow;
      if (!binsFirst) {
        this.#frontEnd.step(channel, fresh, buffers.pcm, row * chunk, this.#features, to);
        continue;
      }
      this.#frontEnd.step(channel, fresh, buffers.pcm, row * chunk, this.#window, 0);
      for (let frame = 0, from = 0; frame < windowFrames; frame++) {
        for (let bin = 0; bin < bins; bin++, from++) {
          this.#features[to + bin * windowFrames + frame] = this.#window[from]!;
        }
      }
    }
    this.#features.fill(0, rows * perRow, size * perRow);
    this.#arena.gather(buffers.channels, buffers.fresh, rows, size);
    await this.#session.run(batch.feeds, batch.fetches);
    this.#arena.scatter(buffers.channels, rows, size);
  }

  #inputTensor(place: InputPlace, n: number, states: Tensor[]): Tensor {
    const { windowFrames, bins, binsFirst } = this.#layout;
    switch (place.kind) {
      case 'features': {
        const values = this.#features.subarray(0, n * windowFrames * bins);
        return new Tensor('float32', values, binsFirst ? [n, bins, windowFrames] : [n, windowFrames, bins]);
      }
      case 'constant':
        return place.type === 'int64'
          ? new Tensor('int64', new BigInt64Array(n).fill(BigInt(place.value)), [n])
          : new Tensor('int32', new Int32Array(n).fill(place.value), [n]);
      case 'state':
        return states.shift()!;
    }
  }

  /** Shapes that the file leaves open show themselves in a first step. */
  async #probe(): Promise<void> {
    const { feeds, fetches } = this.#batches.get(1)!;
    try {
      await this.#session.run(feeds, fetches);
    } catch (error) {
      throw invalid(
        this.#file,
        `does not run with ${this.#layout.windowFrames} frames of ${this.#layout.bins} bins giving ` +
          `[${this.resultShape.join(', ')}] a row: ${(error as Error).message}`,
      );
    }
  }
}

const stateTensor = ({ role, type, before, after }: StateSpec): ExpectedTensor => ({
  role,
  type,
  shape: [...before, null, ...after],
  batchAxis: before.length,
});

function expectedInputs(layout: EncoderLayout): ExpectedTensor[] {
  const { windowFrames, bins, binsFirst } = layout;
  const states = layout.states.map(stateTensor);
  return layout.inputs.map((place) => {
    switch (place.kind) {
      case 'features':
        return {
          role: 'features',
          type: 'float32',
          shape: binsFirst ? [null, bins, windowFrames] : [null, windowFrames, bins],
        };
      case 'constant':
        return { role: place.role, type: place.type, shape: [null] };
      case 'state':
        return states.shift()!;
    }
  });
}

function expectedOutputs(
  layout: EncoderLayout,
  actual: readonly InferenceSession.ValueMetadata[],
): ExpectedTensor[] {
  const states = layout.states.map(stateTensor);
  return layout.outputs.map((place, i) => {
    switch (place.kind) {
      case 'result':
        return { role: place.role, type: 'float32', shape: [null, ...layout.result] };
      case 'ignored': {
        const tensor = actual[i];
        const rank = tensor?.isTensor === true ? tensor.shape.length : 1;
        const type = tensor?.isTensor === true ? tensor.type : 'float32';
        return { role: 'not used', type, shape: Array<null>(rank).fill(null), batchAxis: -1 };
      }
      case 'state': {
        const state = states.shift()!;
        return { ...state, role: `next ${state.role}` };
      }
    }
  });
}

/** Where the layout leaves a size open, the network's own; it must say it. */
function resultShape(
  file: string,
  layout: EncoderLayout,
  actual: readonly InferenceSession.ValueMetadata[],
): number[] {
  const tensor = actual[layout.outputs.findIndex(({ kind }) => kind === 'result')];
  return layout.result.map((size, axis) => {
    const own = tensor?.isTensor === true ? tensor.shape[axis + 1] : undefined;
    if (size !== null) return size;
    if (typeof own !== 'number') {
      throw invalid(file, `output "${tensor?.name ?? ''}" leaves axis ${axis + 1} open`);
    }
    return own;
  });
}
