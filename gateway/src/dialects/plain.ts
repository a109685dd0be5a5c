import type { Dialect, Finding } from './invite.ts';
import { parseNameAddr } from './name-addr.ts';
import { labelClaims } from './roles.ts';

/** An ordinary INVITE with audio: a plain fork or a bridged call. One stream holds everybody. */
export const plain: Dialect = {
  name: 'plain',
  recognises: () => true,
  find(invite, streams) {
    const [only] = streams;
    // Softphones label a lone stream too (baresip: 1): only a label that names a party says that it is one side.
    const mixed = only !== undefined && streams.length === 1 && labelClaims(only).length === 0;
    const from = parseNameAddr(invite.header('from') ?? '');
    return streams.map((): Finding => {
      const speakers = mixed && (from.name !== null || from.aor !== null) ? [from] : [];
      return {
        speakers,
        certainty: mixed ? 0.5 : 0,
        how: 'from-header',
        claims: [],
        ...(mixed ? { mixed } : {}),
      };
    });
  },
};
