import { stat } from 'node:fs/promises';
import { resolve, sep } from 'node:path';
import { EarshotError } from '@earshot/contracts';
import { notFound } from '../plugins/problems.ts';
import { findRecordingFile } from '../queries/calls.ts';
import { file, guarded, idParams } from '../schemas/common.ts';
import type { App, Dependencies } from '../types.ts';

/** The audio of a call. @fastify/static streams the file and answers Range requests (RFC 9110 section 14). */
export function registerRecording(app: App, { db, recordingsDir }: Dependencies): void {
  const root = resolve(recordingsDir);
  app.get(
    '/v1/calls/:id/recording.wav',
    {
      schema: {
        tags: ['calls'],
        summary: 'The recording of a call',
        operationId: 'getRecording',
        description:
          'A WAV file, one channel of it for each channel of the call. Range requests are answered.',
        params: idParams('The id of the call.'),
        response: {
          200: file('The recording.', 'audio/wav'),
          206: file('The part of it that Range asked for.', 'audio/wav'),
          ...guarded(400, 404),
        },
      },
    },
    async (request, reply) => {
      const name = await findRecordingFile(db, request.params.id);
      if (name === undefined) throw notFound('CALL_NOT_FOUND', request.params.id);
      if (name === null || !(await isFileBelow(root, name))) {
        throw new EarshotError('RECORDING_NOT_READY', 'The call has no recording.');
      }
      return reply.type('audio/wav').sendFile(name, root, { cacheControl: false });
    },
  );
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
