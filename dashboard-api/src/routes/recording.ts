import { stat } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import { Readable } from 'node:stream';
import { EarshotError, type RecordingFormat, recordingFilesOf } from '@earshot/contracts';
import { decodedWav } from '../decoded-wav.ts';
import { notFound } from '../plugins/problems.ts';
import { findRecording } from '../queries/calls.ts';
import { file, guarded, idParams } from '../schemas/common.ts';
import type { App, Dependencies } from '../types.ts';

const WAV = 'audio/wav';
const OPUS = 'audio/ogg; codecs=opus';

/** The audio of a call. @fastify/static streams files and answers Range requests (RFC 9110 section 14). */
export function registerRecording(app: App, deps: Dependencies): void {
  const root = resolve(deps.recordingsDir);
  // The type is ours to say: by its name an .opus is audio/ogg, of which a player cannot tell whether it can play it.
  const options = { cacheControl: false, contentType: false };

  app.get(
    '/v1/calls/:id/recording.wav',
    {
      schema: {
        tags: ['calls'],
        summary: 'The recording of a call',
        operationId: 'getRecording',
        description:
          'A WAV file, one channel of it for each channel of the call. Range requests are answered. Where the recording is kept as Opus only, the WAV is decoded while it is sent: its length is known, and a Range is not answered (Accept-Ranges: none).',
        params: idParams('The id of the call.'),
        response: {
          200: file('The recording.', WAV),
          206: file('The part of it that Range asked for.', WAV),
          ...guarded(400, 404),
        },
      },
    },
    async (request, reply) => {
      const files = await filesOf(deps, root, request.params.id);
      const wav = files.get('wav');
      if (wav !== undefined) return reply.type(WAV).sendFile(wav, root, options);
      const decoded = await decodedWav(join(root, files.get('opus')!));
      reply.type(WAV).header('content-length', decoded.bytes).header('accept-ranges', 'none');
      // Fastify reads a stream to its end for a HEAD, which would decode all of it.
      const head = request.method === 'HEAD';
      if (head) decoded.stream.destroy();
      sendStream(reply, head ? Readable.from([]) : decoded.stream);
      return reply;
    },
  );

  app.get(
    '/v1/calls/:id/recording.opus',
    {
      schema: {
        tags: ['calls'],
        summary: 'The recording of a call as Opus',
        operationId: 'getRecordingOpus',
        description:
          'Ogg Opus (RFC 7845) at 8 kHz, one channel of it for each channel of the call, which are streams of their own: a party is never heard on the other channel. Range requests are answered. 404 where the recording was not made as Opus (RECORDING_FORMATS).',
        params: idParams('The id of the call.'),
        response: {
          200: file('The recording.', 'audio/ogg'),
          206: file('The part of it that Range asked for.', 'audio/ogg'),
          ...guarded(400, 404),
        },
      },
    },
    async (request, reply) => {
      const opus = (await filesOf(deps, root, request.params.id)).get('opus');
      if (opus === undefined) {
        throw new EarshotError(
          'RECORDING_NOT_READY',
          'The call has no recording as Opus: ask for recording.wav.',
        );
      }
      return reply.type(OPUS).sendFile(opus, root, options);
    },
  );
}

/** Fastify takes streams; the schema's type of the body, which is a text, does not say so. */
const sendStream = (reply: { send(body: unknown): unknown }, stream: Readable): void =>
  void reply.send(stream);

/** The files of a call's recording that are there. @throws EarshotError when there is no call or no file */
async function filesOf(
  { db }: Dependencies,
  root: string,
  callId: string,
): Promise<ReadonlyMap<RecordingFormat, string>> {
  const recording = await findRecording(db, callId);
  if (recording === undefined) throw notFound('CALL_NOT_FOUND', callId);
  const files = new Map<RecordingFormat, string>();
  for (const { format, file: name } of recording === null ? [] : recordingFilesOf(recording)) {
    if (await isFileBelow(root, name)) files.set(format, name);
  }
  if (files.size === 0) throw new EarshotError('RECORDING_NOT_READY', 'The call has no recording.');
  return files;
}

async function isFileBelow(root: string, name: string): Promise<boolean> {
  const path = resolve(root, name);
  if (!path.startsWith(root + sep)) return false;
  try {
    return (await stat(path)).isFile();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
