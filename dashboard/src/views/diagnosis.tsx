import type { CallView, DiagnosisView } from '@earshot/contracts';
import { partyName } from '../state/format.ts';

interface Props {
  readonly diagnosis: DiagnosisView;
  readonly channels: CallView['channels'];
}

/** Why there are no words: what is so, what to do, and from what that was read. */
export function Diagnosis({ diagnosis, channels }: Props) {
  if (diagnosis.findings.length === 0) return null;
  const nameOf = (index: number): string => {
    const channel = channels.find((one) => one.index === index);
    return channel === undefined ? `Channel ${index}` : partyName(channel);
  };
  return (
    <section class="diagnosis" aria-label="Why there are no words">
      <h2>Why there are no words</h2>
      <ul>
        {diagnosis.findings.map(({ code, channel, text, advice, evidence }) => (
          <li key={`${code} ${channel ?? ''}`}>
            <p>
              {channel !== null && <b>{nameOf(channel)}: </b>}
              {text}
            </p>
            <p class="muted">{advice}</p>
            {evidence.length > 0 && (
              <ul class="evidence">
                {evidence.map((fact) => (
                  <li key={fact}>{fact}</li>
                ))}
              </ul>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}
