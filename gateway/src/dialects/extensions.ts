import type { Extension } from './metadata.ts';
import { attribute, clip, type Element } from './xml.ts';

const MAX_EXTENSIONS = 48;

/** Elements that RFC 7865 and its drafts define, with what stands in them. */
const STANDARD: ReadonlySet<string> = new Set(
  (
    'recording recording_metadata datamode session group participant stream nameid name aor label mode send recv id ' +
    'participantsessionassoc participantstreamassoc sessionrecordingassoc associate-time disassociate-time ' +
    'start-time stop-time end-time sipsessionid group-ref group_id reason role requestor type initiator'
  ).split(' '),
);

/**
 * The vendors' own elements that hold a text, by local name in lower case: `apkt:ucid`, Ribbon's `callid` of callData,
 * BroadWorks' `extTrackingID`. `Parameter name="CallSid" value="…"` (Twilio) and `header label="Call-ID"` with its
 * values (Oracle) go by the name that they give.
 * @param owners the id of the participant that an element describes
 */
export function readExtensions(root: Element, owners: ReadonlyMap<Element, string>): Extension[] {
  const found: Extension[] = [];
  const visit = (element: Element, participantId: string | null): void => {
    if (found.length >= MAX_EXTENSIONS) return;
    const owner = owners.get(element) ?? participantId;
    const add = (name: string, value: string): void => {
      if (value !== '')
        found.push({ name: clip(name.toLowerCase()), value: clip(value), participantId: owner });
    };
    const name = element.name.toLowerCase();
    const given = name === 'parameter' ? attribute(element, 'name') : null;
    const header = name === 'header' ? attribute(element, 'label', 'name') : null;
    if (given !== null) add(given, attribute(element, 'value') ?? element.text);
    else if (header !== null) add(header, element.children[0]?.text ?? element.text);
    else {
      if (!STANDARD.has(name) && element.children.length === 0) add(name, element.text);
      for (const child of element.children) visit(child, owner);
    }
  };
  visit(root, null);
  return found;
}

/** The first value of an extension, of the document or of one participant. */
export const extension = (
  extensions: readonly Extension[] | undefined,
  name: string,
  participantId?: string,
): string | null =>
  extensions?.find(
    (each) => each.name === name && (participantId === undefined || each.participantId === participantId),
  )?.value ?? null;
