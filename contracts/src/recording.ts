/** What the recordings of a call are files of. In the order in which settings and answers name them. */
export const RECORDING_FORMATS = ['wav', 'opus'] as const;
export type RecordingFormat = (typeof RECORDING_FORMATS)[number];

export interface RecordingFile {
  readonly format: RecordingFormat;
  /** Name below DATA_DIR/recordings. */
  readonly file: string;
  readonly bytes: number;
  /** Hex. */
  readonly sha256: string;
}

/** A call's recording, as the calls table keeps it: one sound in one or more formats. */
export interface RecordingFacts {
  /** Of the first format. */
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly durationMs: number;
  /** All of them. Recordings of versions that knew WAV only do not say. */
  readonly formats?: readonly RecordingFile[];
}

export const recordingFilesOf = ({
  formats,
  file,
  bytes,
  sha256,
}: RecordingFacts): readonly RecordingFile[] => formats ?? [{ format: 'wav', file, bytes, sha256 }];

/** As REST and the call events show it: without names of files. */
export const recordingViewOf = (facts: RecordingFacts) => ({
  bytes: facts.bytes,
  sha256: facts.sha256,
  durationMs: facts.durationMs,
  formats: recordingFilesOf(facts).map(({ format, bytes, sha256 }) => ({ format, bytes, sha256 })),
});
