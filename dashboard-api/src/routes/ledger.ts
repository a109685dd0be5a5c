import { EarshotError, LedgerView, tickOfMs } from '@earshot/contracts';
import { Type } from '@sinclair/typebox';
import { hasLedger, ledgerPageOf } from '../formats/ledger.ts';
import { notFound } from '../plugins/problems.ts';
import { findLedger } from '../queries/ledger.ts';
import { decodeTickCursor, encodeTickCursor } from '../queries/page.ts';
import { guarded, idParams, ref } from '../schemas/common.ts';
import type { App, Dependencies } from '../types.ts';

/** A hundred years: more than any call, and exact as ticks. */
const MAX_MS = 100 * 366 * 86_400_000;

const Ms = (description: string) => Type.Optional(Type.Integer({ minimum: 0, maximum: MAX_MS, description }));

/** What became of each channel's time, to the tick. */
export function registerLedger(app: App, { db }: Dependencies): void {
  app.get(
    '/v1/calls/:id/ledger',
    {
      schema: {
        tags: ['calls'],
        summary: 'What became of each tick of a call',
        operationId: 'getLedger',
        description:
          'For each channel spans one after the other: received, concealed, lost, dtx, absent, held, paused, corrected. Their sums are the duration of the channel to the tick (1/8000 s). A long call with loss has many: narrow it with from and to, or leave short ones out with minMs; sums and proof are of all of the range. Of a live call it is as of some seconds ago.',
        params: idParams('The id of the call.'),
        querystring: Type.Object({
          from: Ms('Milliseconds from call zero; left out: 0.'),
          to: Ms('Milliseconds from call zero; left out: the end.'),
          minMs: Ms('Spans shorter than this are not listed.'),
          limit: Type.Integer({
            minimum: 1,
            maximum: 10_000,
            default: 1000,
            description: 'Spans, and notes, of a channel on a page.',
          }),
          cursor: Type.Optional(
            Type.String({ maxLength: 500, description: 'nextCursor of the page before this one.' }),
          ),
        }),
        response: { 200: ref(LedgerView), ...guarded(400, 404) },
      },
    },
    async (request) => {
      const { id } = request.params;
      const { from = 0, to, minMs = 0, limit, cursor } = request.query;
      if (to !== undefined && to <= from) {
        throw new EarshotError('REQUEST_INVALID', 'to must be after from.');
      }
      const afterTick = cursor === undefined ? 0 : decodeTickCursor(cursor);
      const toTick = to === undefined ? Number.MAX_SAFE_INTEGER : tickOfMs(to);
      const range = { fromTick: tickOfMs(from), toTick };
      const ledger = await findLedger(db, id, range);
      if (ledger === null) throw notFound('CALL_NOT_FOUND', id);
      if (!hasLedger(ledger)) {
        throw new EarshotError('LEDGER_NOT_FOUND', 'Nothing was told of what became of its time.');
      }
      const query = { ...range, minTicks: tickOfMs(minMs), limit, afterTick };
      const { view, nextTick } = ledgerPageOf(ledger, query);
      return { ...view, nextCursor: nextTick === null ? null : encodeTickCursor(nextTick) };
    },
  );
}
