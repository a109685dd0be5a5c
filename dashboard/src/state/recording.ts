import type { CallView, RecordingFormat } from '@earshot/contracts';

type Recording = CallView['recording'];

/** Bytes of the file; null when there is none in that format. Calls of older versions name no formats and have a WAV file. */
export function sizeOf(recording: Recording, format: RecordingFormat): number | null {
  if (recording === null) return null;
  if (recording.formats === undefined) return format === 'wav' ? recording.bytes : null;
  return recording.formats.find((file) => file.format === format)?.bytes ?? null;
}

export const hasFormat = (recording: Recording, format: RecordingFormat): boolean =>
  sizeOf(recording, format) !== null;
